"""What people see and type on a terminal: help, colours, completion."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

import pytest
from harness.firn_process import BINARY, run_firn

COMMANDS = ["run", "status", "check", "verify", "resync", "maintain", "cleanup", "config", "completion"]


def on_a_terminal(*arguments, environment=None, columns=None):
    """What the command writes where stdout is a terminal, which says how wide it is where `columns` does."""
    master, slave = pty.openpty()
    if columns:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = os.environ | {"TERM": "xterm-256color", "NO_COLOR": ""} | (environment or {})
    process = subprocess.Popen([BINARY, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave, env=variables)
    os.close(slave)
    written = b""
    try:
        while chunk := os.read(master, 65536):
            written += chunk
    except OSError:  # How Linux tells that nobody has the other end open.
        pass
    os.close(master)
    assert process.wait(60) == 0, written.decode()
    return written.decode()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_how(command):
    told = run_firn(command, "--help", check=True).stdout
    assert command == "config" or re.search(r"^Examples?:\n  \S", told, re.MULTILINE)
    assert f"  {command} " in run_firn("--help", check=True).stdout


def test_status_is_coloured_on_a_terminal_alone(pipeline):
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1200)")
    pipeline.catch_up()
    arguments = ("status", "--config", pipeline.firn.config)
    coloured = on_a_terminal(*arguments)
    assert "\x1b[32mstreaming\x1b[0m" in coloured
    plain = run_firn(*arguments, check=True).stdout
    assert "\x1b" not in plain
    assert "\x1b" not in on_a_terminal(*arguments, environment={"NO_COLOR": "1"})
    without_codes = re.sub(r"\x1b\[\d*m", "", coloured).replace("\r\n", "\n")
    age = re.compile(r" +\d+(\.\d+)? s ago")
    # The line before the tables has the server's position, which goes on.
    assert age.sub("", without_codes).split("\n")[2:] == age.sub("", plain).split("\n")[2:]
    heads, row = (re.split(r"  +", line.strip()) for line in plain.splitlines()[2:4])
    assert dict(zip(heads, row, strict=True)) | {"state": "streaming", "rows": "1,200", "files": "1", "deleted": "0"} == dict(
        zip(heads, row, strict=True)
    )


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_status_fits_the_terminal(pipeline, columns):
    pipeline.execute("CREATE TABLE a_table_with_quite_a_name (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY)")
    pipeline.catch_up()
    told = on_a_terminal("status", "--config", pipeline.firn.config, environment={"NO_COLOR": "1"}, columns=columns)
    table = told.replace("\r", "").split("\n\n")[1].splitlines()
    assert all(len(line) <= columns for line in table), table
    assert "state" in table[0] and "streaming" in table[1]
    assert ("lsn" in table[0]) == (columns == 200)


def completions(*words):
    """What bash offers for the last word."""
    script = """
        source <("$0" completion bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _firn
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    # compopt is for use by readline alone; its message is not of the completion.
    done = subprocess.run(["bash", "-c", script, BINARY, *words], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.split()


def test_bash_completes_commands_and_options():
    assert completions("firn", "ru") == ["run"]
    assert set(completions("firn", "")) >= set(COMMANDS)
    assert completions("firn", "run", "--unt") == ["--until-caught-up"]
    assert completions("firn", "config", "e") == ["example"]
    assert completions("firn", "status", "--j") == ["--json"]
    assert completions("firn", "run", "--source", "") == []
    assert set(completions("firn", "maintain", "")) >= {"all", "compact", "expire", "orphans"}
    assert completions("firn", "maintain", "comp") == ["compact"]
    assert completions("firn", "maintain", "--engine", "") == ["firn", "spark"]
    assert completions("firn", "run", "--copy-engine", "s") == ["spark"]
    assert set(completions("firn", "completion", "")) >= {"bash", "fish", "zsh"}


def test_bash_completes_files(tmp_path):
    (tmp_path / "shop.yaml").touch()
    # As bash splits --config=PATH.
    assert completions("firn", "run", "--config", "=", f"{tmp_path}/sh") == [f"{tmp_path}/shop.yaml"]
    assert completions("firn", "run", "--config", f"{tmp_path}/sh") == [f"{tmp_path}/shop.yaml"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_every_command(shell):
    script = run_firn("completion", shell, check=True).stdout
    for command in COMMANDS:
        assert command in script


def test_an_unknown_shell_is_refused():
    done = run_firn("completion", "tcsh")
    assert done.returncode == 2
    assert "bash, zsh and fish" in done.stderr
