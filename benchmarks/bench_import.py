"""What `import decodekit` adds to `import torch, transformers`, and what the first Decoder adds to that.

Each time is of a fresh interpreter, the two programs in turn; CPU time of the child, medians and quartiles.

Run: OMP_NUM_THREADS=1 python benchmarks/bench_import.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

from rounds import machine

ROUNDS = 5
PROGRAMS = {
    "torch, transformers": "import torch, transformers",
    "and decodekit": "import torch, transformers, decodekit",
    "and its names": "import torch, transformers, decodekit; from decodekit import Decoder, Law, LogitsProcessor",
}


def seconds(program: str) -> float:
    """Take the CPU time of one interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    print(machine())
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for number in range(ROUNDS + 1):
        for name, program in PROGRAMS.items():
            taken = seconds(program)
            if number:
                times[name].append(taken)
    (first, base), *others = times.items()
    print(f"import {first}: {statistics.median(base):.2f} s")
    for name, taken in others:
        low, middle, high = statistics.quantiles([a - b for a, b in zip(taken, base, strict=True)], n=4)
        print(f"{name}: {middle:+.3f} s (quartiles {low:+.3f} to {high:+.3f})")
