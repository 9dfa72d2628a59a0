"""``python -m benchmarks [NAME]``: run one benchmark, or all of them."""

import importlib
import sys

BENCHMARKS = {
    "all": "bench_all",
    "emit": "bench_emit",
    "throughput": "bench_throughput",
    "crash": "bench_crash",
    "processes": "bench_processes",
    "query": "bench_query",
    "verify": "bench_verify",
    "scale": "bench_scale",
    "report": "bench_report",
    "busy": "bench_busy",
    "import": "bench_import",
    "proof": "bench_proof",
}


def main() -> int:
    """Run the benchmark that the first argument names; all when it names none."""
    argv = sys.argv[1:]
    name = "all" if not argv or argv[0].startswith("-") else argv.pop(0)
    if name not in BENCHMARKS or "--help" in sys.argv[1:2]:
        print(f"usage: python -m benchmarks [{'|'.join(BENCHMARKS)}] [--help]", file=sys.stderr)
        return 0 if "--help" in sys.argv else 2
    result: int = importlib.import_module(f"benchmarks.{BENCHMARKS[name]}").main(argv)
    return result


if __name__ == "__main__":
    sys.exit(main())
