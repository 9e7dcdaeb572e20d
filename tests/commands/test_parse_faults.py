import pytest

from lit_medseg.commands.keys_of_class import keys_of_class, keys_of_group, nearest_class_path
from lit_medseg.commands.parse_faults import parse_fault

MODULE = "data_modules.mri_slices.MRISlicesDataModule"
TASK = "lit_medseg.tasks.segmentation.SegmentationTask"
KNOWN = ["config", "seed_everything", "trainer.max_epochs", "trainer.max_steps", "model", "data", "ema_decay"]


def union(key, inside, given):
    """What jsonargparse 4.53 says of a value within a class that may be null."""
    lines = "\n".join(f"        {line}" for line in inside.splitlines())
    path = TASK if key == "model" else MODULE
    return (
        f'Parser key "{key}":\n  Does not validate against any of the Union subtypes\n'
        f"  Subtypes: [<class 'a.B'>, <class 'NoneType'>]\n  Errors:\n"
        f"    - Problem with given class_path '{path}':\n{lines}\n"
        f"    - Expected a <class 'NoneType'>\n  Given value type: <class 'dict'>\n  Given value: {given}"
    )


NETWORK = "Parser key \"network\":\n  Problem with given class_path 'torch.nn.Conv2d':\n    "
CALLABLE = 'Parser key "optimizer":\n  Type typing.Callable[[x], y] expects a function or a callable class: '

CASES = [
    ("Subcommand 'fit' does not accept option 'ema_dekay'", "ema_dekay: unknown key, ", "Did you mean 'ema_decay'?"),
    (
        "Subcommand 'fit' does not accept option 'trainer.max_epoch'",
        "trainer.max_epoch: unknown key, ",
        "'max_epochs'?",
    ),
    ("unrecognized arguments: --trainer.max_epoch=3", "trainer.max_epoch: unknown key, ", "'max_epochs'?"),
    ("unrecognized arguments: exp.yaml", "command line: a word without a key, ", "got 'exp.yaml'."),
    (
        "the following arguments are required: fit.data, fit.model",
        "configuration: keys are missing, ",
        "'data' and 'mo",
    ),
    ("Parser key \"config\": File does not exist: '/x/y.yaml'", "--config: no such file, ", "got /x/y.yaml."),
    ("Unexpected config: ", "--config: not the YAML of an experiment, ", "got nothing."),
    ("argument -c/--config: expected one argument", "--config: no value, expected one, got none.", ""),
    (
        "Problems parsing config: did not find expected ',' or ']'\n  in \"<unicode string>\", line 2, column 2",
        "--config: not the YAML of an experiment, ",
        "got did not find expected ',' or ']' at line 2, column 2.",
    ),
    (
        union("data", "Group 'training' does not accept option 'pach_size'", "{}"),
        "data.init_args.training.pach_size: unknown key, expected one of ['augment_on', 'augmentation', ",
        "Did you mean 'patch_size'?",
    ),
    (
        union("data", "unrecognized arguments: --loading.batchsize=4", "NestedArg(key='loading.batchsize', val='4')"),
        "data.init_args.loading.batchsize: unknown key, ",
        "Did you mean 'batch_size'?",
    ),
    (
        union("data", "Parser key \"loading.batch_size\":\n  Expected a <class 'int'>. Got value: many", "{'a': 1}"),
        "data.init_args.loading.batch_size: a value of the wrong type, expected an integer, got many.",
        "",
    ),
    (
        union("model", f"{NETWORK}Option 'kernelsize' is not accepted", "{}"),
        "model.init_args.network.init_args.kernelsize: unknown key of torch.nn.Conv2d, ",
        "Did you mean 'kernel_size'?",
    ),
    (
        union("model", f"{NETWORK}the following arguments are required: kernel_size", "Namespace(a=1)"),
        "model.init_args.network: keys of torch.nn.Conv2d are missing, expected kernel_size, got none.",
        "",
    ),
    (
        union("model", NETWORK.replace("Conv2d", "Conv2") + "module 'torch.nn' has no attribute 'Conv2'", "{}"),
        "model.init_args.network.class_path: no such class, ",
        "Did you mean 'torch.nn.Conv2d'?",
    ),
    (
        union("model", 'Parser key "network":\n  Import path a.B does not correspond to a subclass of Module', "{}"),
        "model.init_args.network.class_path: a class of another kind, expected a child of Module, got 'a.B'.",
        "",
    ),
    (
        union(
            "model", f"{CALLABLE}Option 'lrr' is not accepted. Got value: Namespace(class_path='torch.optim.SGD')", "{}"
        ),
        "model.init_args.optimizer.init_args.lrr: unknown key of torch.optim.SGD, ",
        "Did you mean 'lr'?",
    ),
    (
        union(
            "model",
            f'{CALLABLE}Parser key "lr":\n\n    - Expected a path but fast either not accessible or invalid\n'
            "    Errors:\n      - Expected a <class 'float'>\n      - Expected a dot import path string: fast\n"
            "    Given value: fast. Got value: Namespace(class_path='torch.optim.SGD', init_args=Namespace(lr='fast'))",
            "{}",
        ),
        "model.init_args.optimizer.init_args.lr: a value of the wrong type, expected a number, got fast.",
        "",
    ),
    (
        "Parser key \"model\":\n  Errors:\n    - Not a valid subclass of Task\n    - Expected a <class 'NoneType'>\n"
        "  Given value: {'class_path': 'a.B', 'init_arg': {}}",
        "model.init_arg: unknown key, expected one of ['class_path', 'init_args'], got 'init_arg'.",
        "",
    ),
    (
        "something that nobody has foreseen",
        "command line: it cannot be read, ",
        "got something that nobody has foreseen.",
    ),
]


@pytest.mark.parametrize(("message", "start", "part"), CASES)
def test_one_line_that_names_the_key(message, start, part):
    text = str(parse_fault(message, KNOWN))
    assert text.startswith(start)
    assert part in text
    assert "\n" not in text
    assert "Namespace" not in text
    assert ", expected " in text
    assert ", got " in text


def test_a_long_level_names_the_nearest_only():
    text = str(parse_fault("Subcommand 'fit' does not accept option 'key_77x'", [f"key_{n}" for n in range(100)]))
    assert "'key_77'" in text
    assert "or 95 more" in text


def test_keys_of_class():
    assert keys_of_class("lit_medseg.catalogue.hold_out.HoldOut") == ["val", "test", "seed", "stratify"]
    assert "kwargs" not in keys_of_class("segmentation_models_pytorch.Unet")
    assert keys_of_class("no.such.Class") == keys_of_class("Class") == keys_of_class("torch.nn.Nothing") == []


def test_keys_of_group():
    assert keys_of_group(MODULE, "trust") == ["patients", "identical"]
    assert (
        keys_of_group(MODULE, "predict_cases")
        == keys_of_group(MODULE, "nothing")
        == keys_of_group("no.Class", "x")
        == []
    )


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("torch.optim.AdmW", "torch.optim.AdamW"),
        ("data_modules.mri_slice.X", "data_modules.mri_slices.X"),
        ("torhc.nn.Conv2d", None),
        ("torch.nn.Qqqqqqqqqqqq", None),
    ],
)
def test_nearest_class_path(path, near):
    assert nearest_class_path(path) == near
