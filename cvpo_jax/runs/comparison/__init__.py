"""What several runs came to, beside one another.

- `records`: the evaluations of runs, and which runs belong together.
- `estimates`: mean or interquartile mean over runs, with 95 % intervals.
- `figures`, `tables`: one number for each run and quantity, and tables of them in several formats.
- `curves`, `frontier`: pictures of cost and return over training, and against each other.
"""
