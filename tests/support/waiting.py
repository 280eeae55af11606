"""What happens by itself is waited for, with a bound, and never slept for."""
import time


def eventually(condition, within=20, every=0.1):
    """The first true value of condition(); fails with its last value or error when there is none within so many seconds."""
    end = time.monotonic() + within
    while True:
        try:
            last, error = condition(), None
            if last:
                return last
        except AssertionError as failure:
            last, error = None, failure
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {within} s: {error or last!r}") from error
        time.sleep(every)
