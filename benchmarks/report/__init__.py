"""The report: one HTML file, pictures for the README, and its table, all from the results."""
