"""What users install: a prefix, Debian packages, an image. Each stands by itself, without the tree that it was built in."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from harness.firn_process import REPOSITORY
from harness.lake import Lake
from harness.postgres_server import identifier

BUILD = REPOSITORY / "build/release"
LIBRARY = re.compile(r"=> (\S+|not found)")


def run(*command, cwd=REPOSITORY, environment=None, expected=0):
    """Its standard output. `environment`: all of it; None: this process's."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == expected, f"{command} gave {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def project_version():
    return re.search(r"project\(firn VERSION (\S+)", (REPOSITORY / "CMakeLists.txt").read_text())[1]


def libraries(file):
    """Where the loader finds each library of a program."""
    return LIBRARY.findall(run("ldd", file, environment={}))


def expect_independent(file):
    found = libraries(file)
    assert found and "not found" not in found
    assert not [path for path in found if path.startswith(str(REPOSITORY))]


def test_the_shared_library_exports_what_its_header_declares(prefix):
    declared = re.findall(r"^(?:int|void|const char\*) (firn_\w+)\(", (prefix / "include/firn/firn.h").read_text(), re.MULTILINE)
    exported = re.findall(r"^\S+ [A-Z] (\S+)$", run("nm", "-D", "--defined-only", prefix / "lib/libfirn.so"), re.MULTILINE)
    assert sorted(exported) == sorted(declared) and "firn_add" in declared


@pytest.fixture(scope="module")
def prefix(binary, tmp_path_factory):
    run("scripts/build", "release", "firn", "firn_library", "firn_c")
    folder = tmp_path_factory.mktemp("install")
    run("cmake", "--install", BUILD, "--prefix", folder / "made", "--strip")
    # A prefix may be moved.
    return (folder / "made").rename(folder / "usr")


def test_the_version_is_said_in_one_place(binary):
    version = project_version()
    assert run(binary, "--version").strip() == version
    chart = yaml.safe_load((REPOSITORY / "deploy/helm/firn/Chart.yaml").read_text())
    assert chart["appVersion"] == version
    for file in ("deploy/kubernetes/firn.yaml", "deploy/kubernetes/cleanup.yaml", "Dockerfile"):
        named = re.findall(r"\bfirn:(\d[\w.]*)", (REPOSITORY / file).read_text())
        assert named and set(named) == {version}, file
    assert f'org.opencontainers.image.version="{version}"' in (REPOSITORY / "Dockerfile").read_text()


def test_an_installed_program_needs_nothing_of_the_build(prefix, pipeline):
    firn = prefix / "bin/firn"
    expect_independent(firn)
    assert run(firn, "--version", environment={}).strip() == project_version()
    for shell, file in (
        ("bash", "share/bash-completion/completions/firn"),
        ("zsh", "share/zsh/vendor-completions/_firn"),
        ("fish", "share/fish/vendor_completions.d/firn.fish"),
    ):
        assert (prefix / file).read_text() == run(firn, "completion", shell, environment={})
    assert (prefix / "etc/firn/firn.yaml.example").read_text() == run(firn, "config", "example", environment={})
    for file in ("README.md", "docs/configuration.md", "arrow/LICENSE.txt", "arrow/NOTICE.txt"):
        assert (prefix / "share/doc/firn" / file).stat().st_size > 0

    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY)")
    config = pipeline.firn.config
    assert run(firn, "check", "--config", config, environment={}).startswith("ok: ")
    run(firn, "health", "--config", config, environment={}, expected=1)
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    assert run(firn, "health", "--config", config, environment={}) == "ok\n"
    assert run(firn, "health", "--ready", "--config", config, environment={}) in ("copying\n", "streaming\n")
    pipeline.firn.stop()


def test_applications_build_on_the_library(prefix, tmp_path, java, pipeline):
    """examples/ is a project of its own, which finds the library with find_package."""
    build = tmp_path / "build"
    run("cmake", "-S", REPOSITORY / "examples", "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", cwd=tmp_path)
    assert f"firn_DIR:PATH={prefix}/lib/cmake/firn" in (build / "CMakeCache.txt").read_text()
    run("ninja", "-C", build, cwd=tmp_path)
    lake = Lake(tmp_path / "lake", java)
    for program in ("firn_example_destination", "firn_example_destination_c", "firn_example_postgres_to_iceberg"):
        expect_independent(build / program)
    for program in ("firn_example_destination", "firn_example_destination_c"):
        for _ in range(2):  # The second time goes on where the first has ended.
            run(build / program, lake.warehouse, environment={})
    # Without CMake, too.
    found = run("pkg-config", "--cflags", "--libs", "firn", environment={**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")})
    run("gcc", REPOSITORY / "examples/destination.c", "-o", tmp_path / "by_hand", *found.split(), f"-Wl,-rpath,{prefix}/lib")
    run(tmp_path / "by_hand", tmp_path / "lake_by_hand", environment={})
    assert "libfirn.so.0.1" in run("readelf", "-d", tmp_path / "by_hand")
    readings = lake.table("app", "readings").scan().to_arrow().sort_by("sensor").to_pydict()
    assert readings == {"sensor": [1, 2, 3, 4], "celsius": [20.5, 1.0, 19.0, 19.0]}
    rows = lake.table("app", "users").scan().to_arrow().sort_by("id").to_pydict()
    assert rows["id"] == [1, 2, 101, 102]
    assert [str(balance) for balance in rows["balance"]] == ["2.00", "0.00", "1.00", "1.00"]

    # The whole of firn in a program, with flags.
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 100) n")
    lake = pipeline.firn.warehouse
    command = [build / "firn_example_postgres_to_iceberg", "--source", pipeline.url, "--catalog-uri", f"sqlite://{lake}/catalog.db"]
    command += ["--warehouse", lake, "--state-dir", tmp_path / "state", "--until-caught-up"]
    environment = {"FIRN_SOURCE_SLOT": pipeline.database}
    run(*command, environment=environment)
    pipeline.execute("DELETE FROM t WHERE id <= 10; UPDATE t SET v = 'w' WHERE id <= 20")
    run(*command, environment=environment)
    pipeline.expect_equal("t", engines=("pyiceberg",))
    run(*command[:3], environment={}, expected=2)


def expect_unit_is_well(path, text):
    """As systemd judges it, which tells what it leaves out of a unit and goes on; its program need not be installed for that."""
    path.write_text(text.replace("ExecStart=/usr/bin/firn", "ExecStart=/bin/true"))
    judged = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True)
    assert (judged.returncode, judged.stderr) == (0, "")


def test_the_debian_package(prefix, tmp_path):
    # The third one, libfirn-dev, has what the prefix has; packing it takes its time.
    run("cpack", "-G", "DEB", "-B", tmp_path, "-D", "CPACK_COMPONENTS_ALL=program;runtime", cwd=BUILD)
    version = project_version()
    package = tmp_path / f"firn_{version}_amd64.deb"
    depends = run("dpkg-deb", "-f", package, "Depends")
    for name in ("adduser", "libc6", "libpq5", "libstdc++6", "librocksdb", "libcurl4", "libsqlite3-0", "libssl3"):
        assert re.search(rf"(^|, ){re.escape(name)}", depends), name
    assert "arrow" not in depends, "Arrow's libraries are in the package"

    run("dpkg-deb", "-R", package, tmp_path / "root")
    root = tmp_path / "root"
    assert (root / "DEBIAN/conffiles").read_text().split() == ["/etc/firn/firn.yaml.example"]
    assert (root / "etc/firn/firn.yaml.example").exists()
    for script in ("postinst", "prerm", "postrm"):
        assert (root / "DEBIAN" / script).stat().st_mode & 0o111
        run("sh", "-n", root / "DEBIAN" / script)
    for unit, config in (("firn.service", "/etc/firn/firn.yaml"), ("firn@.service", "/etc/firn/%i.yaml")):
        text = (root / "usr/lib/systemd/system" / unit).read_text()
        assert f"\nExecStart=/usr/bin/firn run --config {config}\n" in text
        assert "\nUser=firn\n" in text
        # An instance has passwords of its own, which win over those of all.
        files = re.findall("^EnvironmentFile=-(.*)$", text, re.MULTILINE)
        assert files == ["/etc/default/firn"] + ["/etc/default/firn-%i"] * (unit == "firn@.service")
        assert "@FIRN" not in text
        expect_unit_is_well(tmp_path / unit, text)
    assert not [path for path in root.rglob("*") if path.suffix in (".a", ".h", ".cmake")]
    expect_independent(root / "usr/bin/firn")
    assert run(root / "usr/bin/firn", "--version", environment={}).strip() == version
    maintainer = run("dpkg-deb", "-f", package, "Maintainer")
    assert re.fullmatch(r".+ <\S+@\S+>\n", maintainer) and "localhost" not in maintainer
    # What is bundled is named, with where its license lies.
    text = (root / "usr/share/doc/firn/copyright").read_text()
    for named in re.findall(r"/(usr/share/doc/firn/arrow/\S+\.txt)", text):
        assert (root / named).stat().st_size > 0
    assert "Apache-2.0" in text and "arrow/NOTICE.txt" in text

    # Who runs a program in C needs no compiler's packages.
    package = tmp_path / f"libfirn0.1_{version}_amd64.deb"
    depends = run("dpkg-deb", "-f", package, "Depends")
    assert f"firn (= {version})" in depends and "-dev" not in depends
    run("dpkg-deb", "-R", package, tmp_path / "runtime")
    found = {str(path.relative_to(tmp_path / "runtime/usr")) for path in (tmp_path / "runtime/usr").rglob("*") if not path.is_dir()}
    assert found == {"lib/libfirn.so.0.1", f"lib/libfirn.so.{version}", "share/doc/libfirn0.1/copyright"}
    for name in ("libfirn-dev", "libfirn0.1"):
        assert (prefix / "share/doc" / name / "copyright").read_text() == text


DEBIAN = REPOSITORY / "deploy/debian"


def run_maintainer_script(name, argument, root, systemctl):
    """The script with `root` before each path that it names, and a program in place of systemctl."""
    programs = root / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "systemctl").write_text(f"#!/bin/sh\n{systemctl}\n")
    (programs / "systemctl").chmod(0o755)
    text = re.sub("(?<![$\"\\w*/])(/var/lib|/etc|/run)/", rf"{root}\1/", (DEBIAN / name).read_text())
    assert str(root) in text
    return run("sh", "-c", text, name, argument, environment={"PATH": f"{programs}:{os.environ['PATH']}"})


def contents(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_purging_the_package_leaves_the_lake(pipeline, tmp_path):
    """All that firn keeps in state_dir goes, wherever it was stopped, and nothing else."""
    slot = identifier(pipeline.database)
    pipeline.configure(
        source={"copy_range_bytes": 65536},
        writer={"target_file_size_bytes": 16384, "commit_interval_ms": 100, "memory_limit_bytes": 1048576},
    )
    pipeline.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    pipeline.execute("INSERT INTO t SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, 12000) n")
    kept = tmp_path / "root/var/lib/firn"
    state = pipeline.directory / "state"
    # Within a copy: in a state_dir of its own below that of all.
    pipeline.firn.start({"FIRN_FAILPOINTS": "copy.checkpoint.after=kill@3"})
    assert pipeline.firn.ended_within(60), pipeline.firn.log_text()[-3000:]
    assert list(state.glob(f"{slot}/copies/*/*"))
    shutil.copytree(state, kept / "a state dir")
    # Within a large transaction.
    pipeline.firn.start({"FIRN_FAILPOINTS": "spool.write.after=kill"})
    pipeline.firn.wait_streaming()
    pipeline.execute("BEGIN; UPDATE t SET v = v || 'x'; UPDATE t SET v = v || 'y'; UPDATE t SET v = v || 'z'; ROLLBACK")
    assert pipeline.firn.ended_within(60), pipeline.firn.log_text()[-3000:]
    assert list(state.glob(f"{slot}/spool/*"))
    assert (state / slot / "acknowledged").exists() and (state / slot / "index/CURRENT").exists()
    shutil.copytree(state, kept, dirs_exist_ok=True)
    (kept / slot / "tmp").mkdir(exist_ok=True)
    (kept / slot / "tmp/firn-a1B2c3").write_text("of a sort")

    shutil.copytree(pipeline.firn.warehouse, kept / "lake")
    # Tables that are called like firn's own folders, in a warehouse that is /var/lib/firn itself.
    for table in ("index", "spool", "copies", "tmp"):
        shutil.copytree(pipeline.firn.warehouse / "public/t", kept / "public" / table)
    (kept / "notes").write_text("not firn's")
    before = contents(kept)
    assert run_maintainer_script("postrm", "remove", tmp_path / "root", ":") == ""
    assert contents(kept) == before
    said = run_maintainer_script("postrm", "purge", tmp_path / "root", ":")
    assert said == f"firn: {kept} stays, with what is not firn's cache: lake notes public \n"
    theirs = ("lake", "public", "notes")
    assert contents(kept) == {path: content for path, content in before.items() if path.split("/")[0] in theirs}

    for name in theirs:
        shutil.rmtree(kept / name, ignore_errors=True)
    (kept / "notes").unlink()
    shutil.copytree(state, kept, dirs_exist_ok=True)
    assert run_maintainer_script("postrm", "purge", tmp_path / "root", ":") == ""
    assert not kept.exists()
    assert run_maintainer_script("postrm", "purge", tmp_path / "root", ":") == ""


def test_removing_the_package_disables_every_unit(tmp_path):
    root = tmp_path / "root"
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    (root / "run/systemd/system").mkdir(parents=True)
    for unit in ("firn.service", "firn@.service", "other.service"):
        (units / unit).write_text("[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
    enabled = ("firn.service", "firn@shop.service", "firn@stock.service", "other.service")
    run("systemctl", f"--root={root}", "enable", *enabled)
    links = root / "etc/systemd/system/multi-user.target.wants"
    assert {link.name for link in links.iterdir()} == set(enabled)
    # It can't stop what doesn't run.
    systemctl = f'echo "$@" >>{root}/asked; [ "$1" = disable ] && exec {shutil.which("systemctl")} --root={root} "$@"'
    run_maintainer_script("prerm", "upgrade", root, systemctl)
    assert {link.name for link in links.iterdir()} == set(enabled)
    run_maintainer_script("prerm", "remove", root, systemctl)
    assert {link.name for link in links.iterdir()} == {"other.service"}
    assert "stop firn.service firn@*.service" in (root / "asked").read_text()


def context_files():
    """What .dockerignore leaves: all is ignored but what is named again."""
    named = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    known = run("git", "ls-files", "-co", "--exclude-standard").splitlines()
    for pattern in named:
        yield from (file for file in known if file == pattern or file.startswith(pattern + "/"))


def test_the_image_is_built_from_what_its_context_has(tmp_path):
    for file in context_files():
        copy = tmp_path / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(REPOSITORY / file)
    (wheel,) = (REPOSITORY / ".venv/lib").glob("python3*/site-packages/pyarrow")
    run("cmake", "--preset", "release", "-DCMAKE_UNITY_BUILD=OFF", f"-DFIRN_PYARROW_DIR={wheel}", cwd=tmp_path)
    # Every source is there, and what is installed beside the program.
    assert run("ninja", "-C", tmp_path / "build/release", "-n", "firn", "firn_library").count("Building CXX") > 200


def test_the_image_runs_as_a_user_and_asks_itself():
    text = (REPOSITORY / "Dockerfile").read_text()
    (manifest,) = (
        document
        for document in yaml.safe_load_all((REPOSITORY / "deploy/kubernetes/firn.yaml").read_text())
        if document["kind"] == "StatefulSet"
    )
    pod = manifest["spec"]["template"]["spec"]
    user = pod["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}\n" in text
    (container,) = pod["containers"]
    assert json.loads(re.search(r"^CMD (.*)$", text, re.MULTILINE)[1]) == container["args"]
    assert json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[1]) == ["firn"]
    assert 'CMD ["firn", "health", "--config", "/etc/firn/firn.yaml"]' in text
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert "VOLUME /var/lib/firn\n" in text and "/var/lib/firn" in mounts
