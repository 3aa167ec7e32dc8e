"""What a user may set. Imports nothing else of this package.

- `sections`: the sections of a configuration, one frozen dataclass each, with every option's default and meaning.
- `config`: the whole configuration, the checks across sections, and the schedule that follows from it.
- `load`: from an experiment file and the command line to a configuration.
- `errors`: ConfigError, the one line a user gets for an option that cannot be used.
"""
