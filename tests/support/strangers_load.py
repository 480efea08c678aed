"""A load tool as a stranger may have it: workers in a closed loop, lines, a threshold, an exit code.

    python strangers_load.py URL WORKERS SECONDS [EXIT_CODE]

Exit code 99, k6's of a threshold that is crossed, where more than a hundredth of the requests fail.
"""

import json
import sys
import threading
import time
import urllib.request

BODY = json.dumps({"model": "gpt-oss:20b", "messages": [{"role": "user", "content": "ping"}]}).encode()


def main(url: str, workers: str, seconds: str, exit_code: str = "0") -> int:
    """Send the load; the exit code."""
    end, answers, lock = time.monotonic() + float(seconds), {True: 0, False: 0}, threading.Lock()

    def work() -> None:
        while time.monotonic() < end:
            request = urllib.request.Request(
                url + "/v1/chat/completions", BODY, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    answer.read()
                good = True
            except OSError:
                good = False
            with lock:
                answers[good] += 1

    threads = [threading.Thread(target=work) for _ in range(int(workers))]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.5)
        print(f"running: {answers[True]} complete and {answers[False]} failed", flush=True)
    print(f"checks: {answers[True]} passed, {answers[False]} failed")
    return 99 if answers[False] > 0.01 * sum(answers.values()) else int(exit_code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
