# SPDX-License-Identifier: Apache-2.0
"""What the scripts of bench/ share: where things are, and measuring other programs: wall time, and the peak resident memory of one process
and of its children, each apart.

Memory is VmHWM of /proc, read while the process lives: wait4()'s figure would mix in children and the image before exec."""

import glob
import os
import shutil
import statistics
import subprocess
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BUILD = os.path.join(ROOT, "build")
WORK = os.path.join(BUILD, "bench")
VENV = os.path.join(BUILD, "oracle-venv/bin")


def environment(**more):
    """Nothing of this user's settings, everything below build/bench/."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("ONNXGATE_", "HF_", "HUGGING"))}
    return {**keep, "ONNXGATE_HOME": os.path.join(WORK, "home"), "HF_HOME": os.path.join(WORK, "hf"), "XDG_CONFIG_HOME": os.path.join(WORK, "config"), **more}


def fresh(name):
    """A path that does not exist, all earlier writing on disk: what is measured next starts alike."""
    path = os.path.join(WORK, name)
    shutil.rmtree(path, ignore_errors=True)
    if os.path.exists(path):
        os.remove(path)
    os.sync()
    return path


class Done:
    def __init__(self, code, seconds, peak=0, children=None, output=""):
        self.code, self.seconds, self.peak, self.children, self.output = code, seconds, peak, children or {}, output

    def tree(self):
        """Of the process and its children; an upper bound where they were not at their peaks at once."""
        return self.peak + sum(self.children.values())


def timed(argv, env=None):
    """The shortest way to a wall time: no pipe, no threads. Its output goes to /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    start = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, env if env is not None else dict(os.environ), file_actions=actions)
    _, status = os.waitpid(pid, 0)
    seconds = time.perf_counter() - start
    os.close(null)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise SystemExit(f"{' '.join(argv)}: exit code {code}; run it by hand to see why")
    return seconds


def high_water(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            fields = dict(line.split(":", 1) for line in f if ":" in line)
        return fields["Name"].strip(), int(fields.get("VmHWM", "0 kB").split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None, 0


def descendants(pid):
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="ascii") as f:
                for child in f.read().split():
                    found += [int(child), *descendants(int(child))]
        except OSError:
            pass
    return found


def watched(argv, env=None, interval=0.001):
    """Run it and watch memory: Done with the peak of the process itself, and of each kind of child by its name."""
    start = time.perf_counter()
    p = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak, children, stop = [0], {}, threading.Event()

    def watch():
        while not stop.is_set():
            peak[0] = max(peak[0], high_water(p.pid)[1])
            for child in descendants(p.pid):
                name, size = high_water(child)
                if name:
                    children[name] = max(children.get(name, 0), size)
            stop.wait(interval)

    t = threading.Thread(target=watch)
    t.start()
    output, _ = p.communicate()
    seconds = time.perf_counter() - start
    stop.set()
    t.join()
    if p.returncode != 0:
        raise SystemExit(f"{' '.join(argv)}: exit code {p.returncode}\n{output[-2000:]}")
    return Done(p.returncode, seconds, peak[0], children, output)


def spread(values):
    """(median, lowest, highest)"""
    return statistics.median(values), min(values), max(values)


def show(values, unit="s", scale=1.0, digits=2):
    m, low, high = (v * scale for v in spread(values))
    return f"{m:.{digits}f} {unit} ({low:.{digits}f}–{high:.{digits}f})"


def mib(size):
    return f"{size / 2**20:.0f} MiB"


def host():
    """What a reader must know of the machine."""
    cpu = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(f.readline().split()[1]) / 2**20
    return f"{os.cpu_count()} × {cpu}, {memory:.0f} GiB, Linux {os.uname().release.split('-')[0]}"
