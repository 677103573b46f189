"""The probe sees syncs, and hands the judge those before a death and no others."""

import time

from disk_probe import COMMITS, DiskProbe


def test_a_probe_times_the_disk_and_leaves_nothing(tmp_path):
    with DiskProbe(tmp_path) as probe:
        time.sleep(0.2)
    assert len(probe.syncs) > 3
    assert all(begin <= end for begin, end in probe.syncs)
    assert not list(tmp_path.iterdir())


def test_a_death_is_excused_by_the_slowest_sync_of_its_last_second(tmp_path):
    probe = DiskProbe(tmp_path)
    probe.syncs = [(1_000_000, 1_900_000), (3_000_000, 3_030_000), (3_500_000, 3_510_000),
                   (3_990_000, 4_060_000), (4_100_000, 4_900_000)]
    assert probe.unrecorded([3_980_000]) == [(3_980_000 - COMMITS * 30_000, 3_980_000, [])]
    assert probe.unrecorded([4_000_000]) == [(4_000_000 - COMMITS * 70_000, 4_000_000, [])]
    assert probe.unrecorded([2_950_000]) == [(2_950_000, 2_950_000, [])]
