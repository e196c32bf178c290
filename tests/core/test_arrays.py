from deepdance.arrays import sample_evenly


def test_a_sample_reaches_from_the_first_to_the_last_in_even_steps():
    assert sample_evenly(9, 5).tolist() == [0, 2, 4, 6, 8]
    assert sample_evenly(101, 3).tolist() == [0, 50, 100]


def test_no_more_is_sampled_than_there_is():
    assert sample_evenly(3, 10).tolist() == [0, 1, 2]
    assert sample_evenly(1, 10).tolist() == [0]
    assert sample_evenly(0, 10).tolist() == []
