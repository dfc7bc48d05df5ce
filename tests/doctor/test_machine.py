"""Each thing that may be wrong with a machine: broken, read, mended by the printed command, gone."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from linda_cli.browser.binaries import find_browser, find_driver
from linda_cli.doctor.cron import Entry, corrected, entries_in, wrong_with
from tests.conftest import needs
from tests.doctor.mending import (
    MOUNTS,
    USERS,
    broken_and_mended,
    folder_for_all,
    needs_namespaces,
    remove,
    wrapper,
)
from tests.doctor.whatsapp import whatsapp
from tests.environment.proxies import proxy
from tests.linda import Linda


@pytest.fixture
def folder() -> Iterator[Path]:
    made = folder_for_all()
    yield made
    remove(made)


class TestPrograms:
    @pytest.mark.parametrize(
        "says", [None, "nothing of the kind"], ids=["no program of that name", "a program that is no browser"]
    )
    def test_a_variable_that_names_no_browser(self, folder: Path, says: str | None) -> None:
        named = folder / "chromium"
        if says is not None:
            wrapper(named, says)
        done = broken_and_mended("browser", None, LINDA_CHROME=str(named))
        assert str(named) in done.assert_gone()["message"]
        assert done.command == "unset LINDA_CHROME"

    @pytest.mark.parametrize("arguments", ["--user-data-dir=/tmp/x", "'open", "--incognito"])
    def test_arguments_for_the_browser_that_linda_refuses(self, arguments: str) -> None:
        done = broken_and_mended("browser", None, LINDA_CHROME_ARGS=arguments)
        assert "LINDA_CHROME_ARGS" in done.assert_gone()["message"]

    def test_a_driver_of_another_version_that_a_variable_names(self, folder: Path) -> None:
        old = wrapper(folder / "chromedriver", "ChromeDriver 99.0.4844.51 (abcdef)")
        done = broken_and_mended("driver", None, LINDA_CHROMEDRIVER=str(old))
        assert "99.0.4844.51" in done.assert_gone()["message"]
        assert done.command.startswith("export LINDA_CHROMEDRIVER=")

    def test_a_driver_of_another_version_that_comes_first_on_the_path(self, folder: Path) -> None:
        wrapper(folder / "chromedriver", "ChromeDriver 99.0.4844.51 (abcdef)")
        done = broken_and_mended("driver", None, breaking=f"PATH={folder}:$PATH")
        done.assert_gone()
        assert done.command == f"export LINDA_CHROMEDRIVER={find_driver()}"

    def test_without_a_program_on_the_path_the_packages_are_named(self, tmp_path: Path) -> None:
        """The command itself is run where there is nothing yet: in the container's test."""
        done = Linda(tmp_path).run("doctor", "--json", home=False, PATH=str(tmp_path))
        commands = {one["topic"]: one["command"] for one in done.json["findings"]}
        assert commands["browser"].endswith("apt-get install -y chromium chromium-driver")
        assert commands["driver"] == commands["browser"]

    @needs_namespaces
    def test_user_namespaces_that_the_kernel_refuses(self) -> None:
        """Chromium's own sandbox needs one. The user who starts it has sudo, which here becomes root of the namespace
        by way of a folder that root looks into."""
        shared = "/etc/sysctl.d"
        becoming_root = (
            f"while sleep 0.05; do for one in {shared}/do-*; do "
            '[ -e "$one" ] && sh "$one" && mv "$one" "$one.done"; done; done > /dev/null 2>&1 &'
        )
        sudo = f"#!/bin/sh\ntee={shared}/tee-$$; cat > $tee\necho \"$*\" '<' $tee > {shared}/new-$$\n"
        sudo += f"mv {shared}/new-$$ {shared}/do-$$\nwhile [ ! -e {shared}/do-$$.done ]; do sleep 0.05; done\n"
        breaking = [
            f"mount -t tmpfs -o mode=777 tmpfs {shared}",
            "echo 0 > /proc/sys/user/max_user_namespaces",
            f"mkdir {shared}/bin && printf '%s' {shlex.quote(sudo)} > {shared}/bin/sudo && chmod 755 {shared}/bin/sudo",
            becoming_root,
            "trap 'kill %1' EXIT",
            f"export PATH={shared}/bin:$PATH",
        ]
        done = broken_and_mended("sandbox", None, "\n".join(breaking), inside=USERS, as_nobody=True)
        assert "sandbox" in done.assert_gone()["message"]
        assert "sudo sysctl -q -p" in done.command

    @needs_namespaces
    def test_user_namespaces_that_a_container_refuses(self) -> None:
        """The kernel's settings say yes, and yet: only the filter of the container can be it."""
        breaking = (
            "echo 0 > /proc/sys/user/max_user_namespaces\n"
            "most=/proc/sys/user/max_user_namespaces; told=$(mktemp); echo 15000 > $told\n"
            "mount --bind $told $most; rm $told"
        )
        done = broken_and_mended("sandbox", None, breaking, inside=USERS, as_nobody=True)
        done.assert_gone()
        assert done.command == "export LINDA_CHROME_ARGS=--no-sandbox"

    def test_no_sandbox_that_was_asked_for_is_told_and_no_finding(self, tmp_path: Path) -> None:
        done = Linda(tmp_path).run("doctor", "--json", home=False)
        assert not [one for one in done.json["findings"] if one["topic"] == "sandbox"]


class TestMachine:
    @needs_namespaces
    def test_shared_memory_of_64_mb_as_docker_gives(self) -> None:
        done = broken_and_mended("shared-memory", None, "mount -t tmpfs -o size=64m tmpfs /dev/shm", inside=MOUNTS)
        assert "64 MB" in done.assert_gone()["message"]

    @needs_namespaces
    def test_the_same_in_a_container_which_may_mount_nothing(self) -> None:
        breaking = (
            "mount -t tmpfs -o size=64m tmpfs /dev/shm\n"
            "mount -t tmpfs tmpfs /run && touch /run/.containerenv\n"
            "export LINDA_CHROME_ARGS=--lang=en"
        )
        done = broken_and_mended("shared-memory", None, breaking, inside=MOUNTS)
        done.assert_gone()
        assert done.command == "export 'LINDA_CHROME_ARGS=--lang=en --disable-dev-shm-usage'"

    @needs_namespaces
    def test_no_shared_memory_at_all(self, folder: Path) -> None:
        # In an empty /dev with what a shell needs.
        breaking = (
            "mkdir /tmp/.dev-$$ && mount --rbind /dev /tmp/.dev-$$ && mount -t tmpfs -o mode=755 tmpfs /dev\n"
            "for one in null zero random urandom; do touch /dev/$one; mount --bind /tmp/.dev-$$/$one /dev/$one; done\n"
            "umount -l /tmp/.dev-$$; rmdir /tmp/.dev-$$"
        )
        broken_and_mended("shared-memory", None, breaking, inside=MOUNTS).assert_gone()

    @needs_namespaces
    def test_no_font(self, folder: Path) -> None:
        """Mended here by hand, as the package manager would; the printed command is run in the container's test."""
        wrapper(folder / "apt-get", "installed")
        breaking = f"PATH={folder}:$PATH; mount -t tmpfs tmpfs /usr/share/fonts; mount -t tmpfs tmpfs /usr/local/share"
        done = broken_and_mended("fonts", None, breaking, inside=MOUNTS, healing="touch /usr/share/fonts/one.ttf")
        done.assert_gone()
        assert done.command.endswith("apt-get install -y fonts-liberation fonts-noto-color-emoji")

    def test_few_open_files(self) -> None:
        done = broken_and_mended("open-files", None, "ulimit -S -n 200")
        assert "200" in done.assert_gone()["message"]

    def test_few_open_files_and_no_right_to_more_is_for_root_to_mend(self) -> None:
        """Not every root may: the command is only read."""
        done = broken_and_mended("open-files", None, "ulimit -n 200")
        assert done.command.endswith("prlimit --pid $$ --nofile=4096:4096")

    def test_a_temporary_folder_that_is_not_there(self) -> None:
        done = broken_and_mended("temporary-folder", None, TMPDIR="/nonexistent/tmp")
        done.assert_gone()
        assert done.command == "unset TMPDIR"

    @needs_namespaces
    @pytest.mark.parametrize("setting", ["max_inotify_instances", "max_inotify_watches"])
    def test_no_inotify_is_left(self, setting: str) -> None:
        breaking = f"mount -t tmpfs tmpfs /etc/sysctl.d; echo 0 > /proc/sys/user/{setting}"
        done = broken_and_mended("inotify", None, breaking, inside=USERS)
        done.assert_gone()
        assert f"user.{setting} = " in done.command
        assert "/etc/sysctl.d/" in done.command


class TestNetwork:
    def test_a_way_that_leads_to_whatsapp_and_a_clock_that_is_right_are_healthy(self, tmp_path: Path) -> None:
        with whatsapp(tmp_path / "tls") as there:
            done = Linda(tmp_path).run("doctor", "--json", "--timeout", "30", home=False, **there.environ)
        assert done.json["findings"] == []
        assert (done.code, done.json["healthy"], done.json["home"]) == (0, True, None)
        assert there.asked == ["web.whatsapp.com"]

    def test_a_proxy_that_is_not_there(self, tmp_path: Path) -> None:
        """Behind it is another that works, as the environment of the system names it."""
        with whatsapp(tmp_path / "tls") as there:
            good = there.environ.pop("LINDA_PROXY")
            environ = {**there.environ, "https_proxy": good, "LINDA_PROXY": "http://127.0.0.1:1"}
            done = broken_and_mended("network", None, **environ)
        assert "127.0.0.1:1" in done.assert_gone()["message"]
        assert done.command == "unset LINDA_PROXY"

    @pytest.mark.parametrize("scheme", ["http", "socks5"])
    def test_a_proxy_that_does_not_accept_the_password_and_no_word_of_it(self, tmp_path: Path, scheme: str) -> None:
        with whatsapp(tmp_path / "tls") as there, proxy(user="ada", password="right") as closed:
            good = there.environ.pop("LINDA_PROXY")
            wrong = f"{scheme}://ada:swordfish@127.0.0.1:{closed.port}"
            done = broken_and_mended("network", None, **there.environ, https_proxy=good, LINDA_PROXY=wrong)
        done.assert_gone()
        assert "swordfish" not in json.dumps([done.before, done.after, done.said, done.command])

    def test_a_proxy_that_is_no_proxy(self, tmp_path: Path) -> None:
        with whatsapp(tmp_path / "tls") as there:
            good = there.environ.pop("LINDA_PROXY")
            done = broken_and_mended("network", None, **there.environ, https_proxy=good, LINDA_PROXY="ftp://x:secret@y")
        assert "secret" not in done.assert_gone()["message"]

    @needs_namespaces
    def test_a_line_in_the_hosts_file(self) -> None:
        """Left by somebody who has tested something. There is no network here, so only that line can be mended."""
        breaking = (
            "cp -a /etc/hosts /tmp/.hosts-$$; mount -t tmpfs tmpfs /mnt; cp -a /etc /mnt/etc\n"
            "mount --bind /mnt/etc /etc; printf '127.0.0.1 localhost\\n127.0.0.1 web.whatsapp.com\\n' > /etc/hosts\n"
            "rm /tmp/.hosts-$$"
        )
        done = broken_and_mended("network", None, breaking, inside=MOUNTS)
        assert done.before["findings"][0]["message"].startswith("/etc/hosts says")
        assert "/etc/hosts" not in json.dumps(done.after["findings"])
        assert "localhost" in Path("/etc/hosts").read_text()

    @needs_namespaces
    def test_no_name_server_is_named(self) -> None:
        breaking = (
            "mount -t tmpfs tmpfs /mnt; cp -a /etc /mnt/etc; mount --bind /mnt/etc /etc\n"
            "rm -f /etc/resolv.conf; : > /etc/resolv.conf"
        )
        done = broken_and_mended("network", None, breaking, inside=MOUNTS, healing="cat /etc/resolv.conf")
        assert "nameserver" in done.command
        assert "nameserver" in done.said
        # Without a network it cannot be looked up all the same, but nothing is left to mend here.
        assert "nameserver" not in json.dumps(done.after["findings"])

    def test_a_certificate_that_nobody_vouches_for(self, tmp_path: Path, folder: Path) -> None:
        with whatsapp(tmp_path / "tls") as there:
            trusted = there.environ.pop("SSL_CERT_FILE")
            wrapper(folder / "apt-get", "installed")
            # The list of authorities comes back, as the package manager would bring it.
            done = broken_and_mended(
                "network", None, f"PATH={folder}:$PATH", healing=f"export SSL_CERT_FILE={trusted}", **there.environ
            )
        assert "not trusted" in done.assert_gone()["message"]
        assert done.command.endswith("apt-get install -y --reinstall ca-certificates")

    @pytest.mark.parametrize("ahead", [3600, -3600])
    def test_a_clock_that_is_wrong(self, tmp_path: Path, ahead: float) -> None:
        """The clock of the machine is not to be set by a test: that the command sets the right time is looked at."""
        with whatsapp(tmp_path / "tls", ahead) as there:
            done = Linda(tmp_path).run("doctor", "--json", "--timeout", "30", home=False, **there.environ)
            (found,) = done.json["findings"]
            assert found["topic"] == "clock"
            assert ("behind" if ahead > 0 else "ahead of") in found["message"]
            if not Path("/run/systemd/system").is_dir():
                assert "date -u -s" in found["command"]
                told = os.popen(found["command"].removeprefix("sudo ").replace("date -u -s", "date -u +%s -d")).read()
                assert abs(int(told) - (time.time() + ahead)) < 60
            there.ahead = 0
            assert Linda(tmp_path).run("doctor", "--timeout", "30", home=False, **there.environ).code == 0

    def test_a_proxy_that_never_answers_holds_nobody_up(self, tmp_path: Path) -> None:
        with proxy(silent=True) as way:
            environ = {"LINDA_PROXY": f"http://127.0.0.1:{way.port}"}
            done = Linda(tmp_path).run("doctor", "--json", home=False, timeout=20, **environ)
        assert done.code == 1
        assert any("network" in one["message"] or "proxy" in one["message"] for one in done.json["findings"])


class TestCron:
    def test_lines_that_call_linda_are_found_with_their_settings(self) -> None:
        crontab = (
            "# linda cleanup in a comment\nPATH=/opt/bin\n\n0 4 * * * linda cleanup\n"
            "@daily /usr/bin/true\n*/5 * * * * cd /home/ada && /usr/local/bin/linda backup --all\n"
        )
        found = entries_in(crontab)
        assert [(one.when, one.program) for one in found] == [
            ("0 4 * * *", "linda"),
            ("*/5 * * * *", "/usr/local/bin/linda"),
        ]
        assert found[0].environ == {"PATH": "/opt/bin"}

    def test_a_percent_sign_and_a_word_that_only_begins_like_it_are_left_alone(self, tmp_path: Path) -> None:
        assert entries_in("0 4 * * * lindane --x\n0 4 * * * /srv/linda.d/run\n") == []
        entry = Entry("0 4 * * * linda cleanup", "0 4 * * *", "linda cleanup", "linda", {})
        assert "cron's PATH" in (wrong_with(entry, tmp_path) or "")
        line = corrected(entry, tmp_path)
        assert line.startswith("0 4 * * * /")
        assert f"--home {tmp_path} cleanup" in line

    @needs("crontab")
    @needs_namespaces
    @pytest.mark.parametrize("line", ["0 4 * * * linda cleanup", "@daily linda cleanup --keep 3"])
    def test_a_line_that_finds_neither_linda_nor_a_home(self, folder: Path, line: str) -> None:
        home = folder / "home"
        for name in ("sessions", ".session-cache"):
            (home / name).mkdir(parents=True)
        breaking = (
            "mount -t tmpfs -o mode=1730 tmpfs /var/spool/cron/crontabs; chgrp crontab /var/spool/cron/crontabs\n"
            f"printf '%s\\n' '5 5 * * * echo kept' '{line}' | crontab -"
        )
        done = broken_and_mended("cron", home, breaking, inside=MOUNTS, healing="crontab -l")
        assert line in done.assert_gone()["message"]
        assert "5 5 * * * echo kept" in done.said
        assert f"--home {home} cleanup" in done.said
        assert line not in done.said.splitlines()


def test_the_programs_of_this_machine_are_those_that_the_report_names(tmp_path: Path) -> None:
    done = Linda(tmp_path).run("doctor", "--timeout", "30", home=False)
    assert str(find_browser()) in done.out
    assert str(find_driver()) in done.out
    assert "no home here" in done.out
    assert shutil.which("chromium") is None or "Chromium" in done.out
