"""A project's files on their way to a merge's result, or back: each step can be done again.

Everything that is needed to go on, and to go back, lies in a *store* beside the sandbox before
the first file is touched: the new files, the old ones, and a manifest that names them. So
whoever finds an apply that was cut off can bring it to either end, however often it was cut.

- `states`: what is at a path, and whether that is what is expected
- `manifest`: what is to be moved, in a form that can be stored
- `staging`: makes a store
- `files`: moves the files of a store, one by one, forth and back
- `checkout`: a git work tree's lock, index and HEAD, which go with its files
- `move`: one project's move as a whole
"""
