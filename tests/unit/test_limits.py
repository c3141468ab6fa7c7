"""Limits that only make sense together."""

from indelible import limits


def test_one_event_fits_everywhere() -> None:
    assert limits.METADATA_SIZE_BYTES_MAX < limits.EVENT_SIZE_BYTES_MAX
    assert limits.EVENT_SIZE_BYTES_MAX <= limits.PAGE_SIZE_BYTES_MAX
    # As base64 within JSON an event takes a third more, and its names and tags at most a few hundred KiB.
    assert limits.EVENT_SIZE_BYTES_MAX * 4 // 3 + 512 * 1024 < limits.REQUEST_SIZE_BYTES_MAX
    assert limits.SNAPSHOT_SIZE_BYTES_MAX + 1024 < limits.REQUEST_SIZE_BYTES_MAX


def test_one_request_fits_into_the_queue() -> None:
    assert limits.REQUEST_SIZE_BYTES_MAX <= limits.QUEUE_SIZE_BYTES_MAX
    assert limits.CLIENT_BATCH_APPENDS_MAX <= limits.QUEUE_REQUESTS_MAX


def test_pages() -> None:
    assert limits.PAGE_EVENTS_DEFAULT <= limits.PAGE_EVENTS_MAX <= limits.PAGE_SCAN_EVENTS_MAX


def test_every_json_reader_keeps_the_largest_version() -> None:
    assert int(float(limits.VERSION_MAX)) == limits.VERSION_MAX
    assert float(limits.VERSION_MAX + 1) == float(limits.VERSION_MAX + 2)
