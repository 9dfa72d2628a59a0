"""A plan's work in a process of its own: a callable or a command, in the sandbox.

- `spec`: what the work is, in a form that a plan can store
- `context`: what a callable gets as `ctx`
- `progress`: how far it is, and how it ended
- `survivors`: what is left of a work whose host died
- `process`: the parent's side, start, wait and stop
- `validation`: a command that must succeed, run the same way
- `child`: the process itself, a supervisor that forks the worker
- `worker`: finds the callable and calls it, in the forked half
"""
