"""One cancellation of a plan, in its steps: `run`, on `record`, `asking` and the `holders`."""
