"""Tasks completed from a checkpoint."""

from types import SimpleNamespace

from jsonargparse import Namespace

from lit_medseg.commands.complete_task import _forget_start


def test_a_checkpoint_needs_no_download_of_a_wrapped_network():
    inner = Namespace(class_path="smp.Unet", init_args=Namespace(encoder_weights="imagenet"))
    network = Namespace(class_path="SlicesAsChannels", init_args=Namespace(network=inner, neighbours=1))
    arguments = Namespace(network=network, fine_tuning=Namespace(start_from="weights.ckpt"))
    settings = Namespace(model=Namespace(init_args=arguments))
    _forget_start(SimpleNamespace(settings=settings))
    assert arguments.network.init_args.network.init_args.encoder_weights is None
    assert arguments.fine_tuning.start_from is None
    assert network.init_args.neighbours == 1
