"""``python -m benchmarks NAME``: run one benchmark."""

import sys

from benchmarks import bench_busy, bench_emit, bench_import, bench_proof

BENCHMARKS = {
    "busy": bench_busy.main,
    "emit": bench_emit.main,
    "import": bench_import.main,
    "proof": bench_proof.main,
}


def main() -> int:
    """Run the benchmark that the first argument names."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print(f"usage: python -m benchmarks {{{','.join(BENCHMARKS)}}} [--help]", file=sys.stderr)
        return 2
    name = sys.argv.pop(1)
    return BENCHMARKS[name]()


if __name__ == "__main__":
    sys.exit(main())
