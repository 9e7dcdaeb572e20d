"""A row is a case; what a row lacks is a fault with its place."""

import os

import pytest

from lit_medseg.catalogue.case import Ref
from lit_medseg.catalogue.csv_table import CsvTable
from lit_medseg.errors import ConfigError, DataError

IMAGE = "{split}/images/{file}"


def table(root, text, **keys):
    (root / "t.csv").write_text(text, encoding="utf-8")
    return CsvTable(**({"root": str(root), "table": "t.csv", "image": IMAGE, "case": "{file}"} | keys))


def test_everything_at_once(tmp_path):
    text = '\ufefffile,split,patient,group,"a, b"\nx.png,train,007,NA,1\n\n b.png ,test,1e3,HYP,"2,5"\n'
    source = table(tmp_path, text, patient="{patient}", mask="{split}/labels/{file}", label="{group}")
    listing = source.list()
    assert listing.faults == ()
    first, second = listing.cases
    assert (first.case_id, first.patient_id, first.labels) == ("b.png", "1e3", ("HYP",))
    assert (second.patient_id, second.labels) == ("007", ("NA",))
    assert second.images[0].path == "train/images/x.png"
    assert second.masks[0].path == "train/labels/x.png"
    assert second.metadata == {"file": "x.png", "split": "train", "patient": "007", "group": "NA", "a, b": "1"}


def test_channels_overlapping_masks_and_labels(tmp_path):
    text = "id,flair,t1,wet,dry\n1,f.png,t.png,1.0,0\n2,g.png,u.png,0,0\n"
    keys = {
        "image": ["{flair}", "{t1}"],
        "mask": ["w/{id}.png", "d/{id}.png"],
        "labels": ["wet", "dry"],
        "case": "{id}",
    }
    first, second = table(tmp_path, text, **keys).list().cases
    assert [ref.path for ref in first.images] == ["f.png", "t.png"]
    assert [ref.path for ref in first.masks] == ["w/1.png", "d/1.png"]
    assert (first.labels, second.labels) == (("wet",), ())


def test_named_channels_and_parts_of_files(tmp_path):
    image = {"t1": "{id}/t1.nii.gz", "b0": "{id}/dwi.nii.gz[0]", "pet": "all.h5:{id}/pet", "row": "x.npz:a[{id}]"}
    case = table(tmp_path, "id\n7\n", image=image, case="{id}", mask="{id} [1].png").list().cases[0]
    assert case.channels == ("t1", "b0", "pet", "row")
    assert case.images == (
        Ref("7/t1.nii.gz"),
        Ref("7/dwi.nii.gz", "", 0),
        Ref("all.h5", "7/pet"),
        Ref("x.npz", "a", 7),
    )
    assert case.masks == (Ref("7 [1].png"),)
    with pytest.raises(ConfigError, match="image: it is empty"):
        CsvTable("r", "t", {}, "{id}")


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    for key, value in (("patient", "{Patient_ID}"), ("labels", ["patientid"])):
        with pytest.raises(DataError) as caught:
            table(tmp_path, "file,split,patient_id\na,b,c\n", **{key: value}).list()
        text = str(caught.value)
        assert "patientid" in text.lower().replace("_", "")
        assert "['file', 'split', 'patient_id']" in text
        assert "Did you mean 'patient_id'?" in text
        assert key in text


def test_faults(tmp_path):
    text = (
        "file,split,who,flag\na.png,x,1,0\na.png,y,1,1\nb.png,x,,0\n,x,2,0\nc.png,,2,0\n"
        "d.png,x,2,maybe\n/etc/e.png,,2,0\nf.png,../..,2,0\ng.png,x\n"
    )
    listing = table(tmp_path, text, patient="{who}", labels=["flag"], image="{split}/{file}").list()
    assert [case.case_id for case in listing.cases] == ["a.png"]
    faults = "\n".join(listing.faults)
    for part in (
        "case a.png: the id is doubled, expected one case of that id, got 2: x/a.png, y/a.png",
        "t.csv row 3 (b.png): the cell 'who' is empty, needed for `patient`",
        "t.csv row 4: the cell 'file' is empty, needed for `case`",
        "t.csv row 5 (c.png): the cell 'split' is empty, needed for `image`",
        "t.csv row 6 (d.png): the cell 'flag' is no flag, expected 0 or 1, got 'maybe'",
        "t.csv row 8 (f.png): the image lies outside the root",
        "line 10: the row does not fit, expected 4, got 2 cells",
    ):
        assert part in faults
    absolute = table(tmp_path, "file\n/etc/e.png\n", image="{file}").list()
    assert "lies outside the root" in absolute.faults[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows"),
        ("file,split\n", "no rows"),
        ("file,file\n1,2\n", "doubled"),
        ("file,\n1,2\n", "no name"),
        ('file,split\n"a,b\n', "CSV in UTF-8"),
        ("a;b\n1;2\n", "separated by another sign"),
    ],
)
def test_unusable_tables_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        table(tmp_path, text).list()
    assert "t.csv" in str(caught.value)


def test_missing_and_foreign_files_are_refused(tmp_path):
    source = table(tmp_path, "x")
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        source.list()
    (tmp_path / "t.csv").unlink()
    with pytest.raises(DataError, match="the table is missing"):
        source.list()
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        source.list()


def test_tabs(tmp_path):
    (tmp_path / "t.tsv").write_text("file\tsplit\na, b.png\tx\n", encoding="utf-8")
    (case,) = CsvTable(str(tmp_path), "t.tsv", IMAGE, "{file}").list().cases
    assert case.case_id == "a, b.png"


@pytest.mark.parametrize(
    "keys",
    [
        {"case": "file"},
        {"image": "{file"},
        {"image": []},
        {"label": "{a}", "labels": ["b"]},
        {"labels": []},
    ],
)
def test_contradicting_keys_are_refused(keys):
    with pytest.raises(ConfigError):
        CsvTable(**({"root": "r", "table": "t", "image": "{a}", "case": "{b}"} | keys))


@pytest.mark.realdata
@pytest.mark.skipif("LIT_MEDSEG_DATA" not in os.environ, reason="LIT_MEDSEG_DATA is not set")
def test_real_sets():
    cardiac = CsvTable(
        "cardiac_sunnybrook", "metadata.csv", IMAGE, "{file}", "{patient_id}", "{split}/labels/{file}", "{group}"
    )
    listing = cardiac.list()
    assert (len(listing.cases), listing.faults) == (297, ())
    assert len({case.patient_id for case in listing.cases}) == 16
    assert {case.labels for case in listing.cases} == {("HF-I",), ("HF-NI",), ("HYP",), ("N",)}
    skin = CsvTable(
        "dermoscopy_isic2017",
        "labels.csv",
        "images/{image_id}.jpg",
        "{image_id}",
        mask="masks/{image_id}_segmentation.png",
        labels=["melanoma", "seborrheic_keratosis"],
    ).list()
    assert (len(skin.cases), skin.faults) == (9, ())
    assert sum(case.labels == ("seborrheic_keratosis",) for case in skin.cases) == 4
