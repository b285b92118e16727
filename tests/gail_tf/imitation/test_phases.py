import json

import pytest

from gail_tf.imitation.phases import human_demonstrations, human_ratio


def test_human_demonstrations_equal_textgails(shared_file):
    golden = json.loads(shared_file("golden/textgail/reference.json").read_text())
    ratios = [human_ratio(update, 10) for update in range(10)]
    assert ratios == pytest.approx(golden["human_ratio_over_10_updates"])
    assert [human_demonstrations(32, ratio) for ratio in ratios] == golden["human_demos_of_a_batch_of_32"]


def test_no_demonstrations_after_the_end():
    assert human_ratio(11, 10) == 0
    assert human_demonstrations(32, human_ratio(0, 10, start=0.0)) == 0
