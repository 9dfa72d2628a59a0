"""Git, as the plan, apply and sandbox actors use it: synchronous, through the git program.

- `command`: one git command in a hardened environment
- `repository`: what a project is, and whether it may be worked on
- `worktree`: a plan's sandbox, created and released
- `changes`: a `Changeset` between two commits
- `apply`: commit the sandbox, merge in a scratch work tree
- `submodules`: what of them would go with the sandbox, and is refused
- `conflicts`: what could not be merged, by file and line
"""
