"""Facts about other processes."""


def is_running(process: int) -> bool:
    """Whether the process exists and is no zombie that awaits its parent."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
