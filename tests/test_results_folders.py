"""Whole folders, as measured: faster than a loop, level memory, nothing lost to a kill."""

from codec_lib import data

MEASURED = data.results("folders")
WAYS = MEASURED["throughput"]


def test_a_folder_is_done_at_least_eight_times_as_fast_as_by_a_loop():
    assert WAYS["encode-all"]["pictures"] == 1000
    ratio = WAYS["encode-all"]["pictures_a_second"] / WAYS["loop over encode"]["pictures_a_second"]
    assert ratio > 8


def test_rates_are_those_of_pictures_and_seconds():
    width, height = MEASURED["size"]
    for row in WAYS.values():
        a_second = row["pictures"] / row["seconds"]
        assert abs(row["pictures_a_second"] / a_second - 1) < 0.01
        assert abs(row["megapixels_a_second"] / (a_second * width * height / 1e6) - 1) < 0.02


def test_memory_is_level_once_all_processes_have_begun():
    megabytes = MEASURED["memory"]["megabytes"]
    assert len(megabytes) == 10
    assert max(megabytes[5:]) < 1.1 * max(megabytes[:5])


def test_ten_kills_lose_nothing():
    killed = MEASURED["killed"]
    after = killed["files_after_each_kill"]
    assert len(after) == 10
    assert after == sorted(after)
    assert after[-1] > 0
    assert killed["half"] == killed["missing"] == killed["left_over"] == 0


def test_crops_are_decoded_faster_than_whole_pictures_from_files_smaller_than_jpeg():
    rows = MEASURED["training"]["rows"]
    assert rows["clc"]["items_a_second"] > rows["clc, whole picture"]["items_a_second"]
    assert rows["clc"]["mean_bytes"] < rows["jpeg"]["mean_bytes"] < rows["png"]["mean_bytes"]
