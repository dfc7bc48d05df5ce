"""Why a browser did not start, out of all that it said."""

from __future__ import annotations

import pytest

from linda_cli.browser.launch import telling_line

NOISE = """
/usr/bin/chromium: 9: [: 25276514304: unexpected operator
[7:7:1125/023906.9:ERROR:dbus/bus.cc:405] Failed to connect to the bus: Could not parse server address
[7:9:1125/023906.9:ERROR:google_apis/gcm/engine/registration_request.cc:291] Registration response error message
[7:7:1125/023906.9:ERROR:components/viz/service/main/viz_main_impl.cc:183] Exiting GPU process
[7:7:1125/023906.9:WARNING:third_party/crashpad/crashpad/util/file/directory_reader_posix.cc:43] opendir: No such file
#0 0x55f0c0ffee00 (/usr/lib/chromium/chromium+0x1234)
Received signal 6
[end of stack trace]
Trace/breakpoint trap (core dumped)
""".strip().splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "[7:7:1125/0.9:FATAL:content/browser/zygote_host/zygote_host_impl_linux.cc:132] No usable sandbox!",
        "[7:7:1125/0.9:ERROR:chrome/browser/process_singleton_posix.cc:340] Failed to create SingletonLock",
        "/usr/lib/chromium/chromium: error while loading shared libraries: libnss3.so: cannot open shared object file",
        "chromium-wrapper: this user may not start a browser",
    ],
)
def test_the_line_that_matters_is_told_wherever_it_stands(line: str) -> None:
    for at in (0, len(NOISE) // 2, len(NOISE)):
        assert telling_line([*NOISE[:at], line, *NOISE[at:]]) == line


def test_a_fatal_line_goes_before_what_is_said_after_it() -> None:
    fatal = "[7:7:1125/0.9:FATAL:a.cc:1] the reason"
    assert telling_line([fatal, "[7:7:1125/0.9:ERROR:b.cc:2] a consequence", *NOISE]) == fatal


def test_noise_alone_is_better_than_nothing() -> None:
    assert telling_line(NOISE) == NOISE[-1]
    assert telling_line([]) == ""
