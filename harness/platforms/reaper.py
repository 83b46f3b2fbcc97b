"""Removes a run's objects from the cluster if the harness was killed: waits for its pipe to close, as `kill -9` closes it too.

`python -m harness.platforms.reaper CONTEXT KUBECONFIG SELECTOR`; a line on stdin says that all is removed already.
"""

import sys

from harness.platforms.kubectl import Kubectl
from harness.platforms.ownership import remove

if __name__ == "__main__":
    if not sys.stdin.readline():
        remove(Kubectl(sys.argv[1], sys.argv[2]), sys.argv[3])
