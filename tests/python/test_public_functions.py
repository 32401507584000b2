# SPDX-License-Identifier: Apache-2.0
"""Every public function of the library is used by the package, or there is a reason why it is not."""

from __future__ import annotations

import re
from pathlib import Path

import icseg
from icseg import _declarations as c

NOT_USED = {
    "icseg_classifier_run": "icseg.clip.Classifier calls its two steps, so that embeddings can be kept",
    "icseg_config_check": "icseg.create reads the configuration by icseg_config_update_json, which checks it",
    "icseg_config_embed_level": "the shapes of arrays show it",
    "icseg_config_level_channels": "the shapes of arrays show it",
    "icseg_config_read_json": "icseg.create reads the configuration by icseg_config_update_json",
    "icseg_confusion_create": "NumPy allocates the matrix of icseg.Confusion",
    "icseg_dataset_next": "iterating over an icseg.Dataset calls icseg_dataset_read",
    "icseg_dataset_sample_close": "belongs to icseg_dataset_next",
    "icseg_file_check_writable": "for files that a program writes itself",
    "icseg_evaluate_group": "Python's functions work in one process",
    "icseg_group_abort": "Python's functions work in one process",
    "icseg_group_agree": "Python's functions work in one process",
    "icseg_group_close": "Python's functions work in one process",
    "icseg_group_failed_together": "Python's functions work in one process",
    "icseg_group_open": "Python's functions work in one process",
    "icseg_group_rank": "Python's functions work in one process",
    "icseg_group_share": "Python's functions work in one process",
    "icseg_group_size": "Python's functions work in one process",
    "icseg_image_create": "NumPy allocates images",
    "icseg_image_read": "icseg_image_load does the same and more",
    "icseg_image_read_memory": "icseg_image_load does the same and more",
    "icseg_labels_create": "NumPy allocates label maps",
    "icseg_lr_range_suggestion": "icseg.find_lr returns a dict, which contains it",
    "icseg_model_name_count": "the number of classes is known from the configuration",
    "icseg_result_outputs": "icseg.Model reads the outputs that it asked for",
    "icseg_run_plan_advice": "icseg.plan returns what icseg_run_plan_text writes as JSON",
    "icseg_run_plan_figures": "icseg.plan returns what icseg_run_plan_text writes as JSON",
    "icseg_session_model": "icseg.Model keeps the model itself",
    "icseg_session_predict": "icseg_session_run does the same and more",
    "icseg_status_name": "exceptions have classes",
    "icseg_tensor_dense": "NumPy knows shapes and strides",
    "icseg_tensor_read": "icseg.load_tensors reads tensors in their own types by icseg_tensor_file_read",
    "icseg_tensor_type_size": "NumPy knows the sizes of its types",
    "icseg_tensors_write": "icseg_tensor_file_write does the same and more",
    "icseg_train_result_close": "icseg.train returns the run directory, which has the same results",
    "icseg_video_frame_close": "arrays own the frames, and free them by icseg_image_close",
}


def used() -> set[str]:
    """The functions that the package calls: lib.icseg_x, and names in strings."""
    folder = Path(icseg.__file__).parent
    text = "".join(path.read_text() for path in sorted(folder.glob("*.py")) if path.name != "_declarations.py")
    text = re.sub(r"^COMPUTING = \(.*?^\)", "", text, flags=re.DOTALL | re.MULTILINE)  # beginnings of names
    return set(re.findall(r"""(?:lib\.|")(icseg_\w+)""", text))


def test_every_function_is_used_or_has_a_reason() -> None:
    assert sorted(set(c.FUNCTIONS) - used() - set(NOT_USED)) == [], "wrap these, or say in NOT_USED why not"


def test_the_reasons_are_needed() -> None:
    assert sorted(set(NOT_USED) & used()) == [], "these are used"
    assert sorted(set(NOT_USED) - set(c.FUNCTIONS)) == [], "these do not exist"


def test_the_package_does_not_name_functions_that_do_not_exist() -> None:
    assert sorted(name for name in used() if name not in c.FUNCTIONS and name not in vars(c)) == []
