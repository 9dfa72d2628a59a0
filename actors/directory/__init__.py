"""Projects that are no git repository: a copied directory, and a repository beside the copy.

- `copying`: the copy, exact, and what cannot be copied refused
- `shadow`: a git repository that nobody else sees, so that git does the comparing
- `sandbox`: a plan's sandbox of this kind, made, committed and removed
"""
