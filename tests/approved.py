#!/usr/bin/env python3
"""Runs a command and compares what it prints with an approved file; --renew writes the file instead.

    approved.py [--renew] FILE COMMAND...
"""
import difflib
import os
import subprocess
import sys


def main():
    arguments = sys.argv[1:]
    renew = os.environ.get('ASSAY_RENEW_APPROVED') == '1'
    if arguments[0] == '--renew':
        renew, arguments = True, arguments[1:]
    path, command = arguments[0], arguments[1:]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        print(run.stdout + run.stderr)
        return 1
    if renew:
        with open(path, 'w') as f:
            f.write(run.stdout)
        return 0
    with open(path) as f:
        approved = f.read()
    if approved == run.stdout:
        return 0
    sys.stdout.writelines(difflib.unified_diff(approved.splitlines(True), run.stdout.splitlines(True), path, 'printed now'))
    print(f'\nwhere the change is meant: ASSAY_RENEW_APPROVED=1 ctest ..., or tests/approved.py --renew {path} {" ".join(command)}')
    return 1


if __name__ == '__main__':
    sys.exit(main())
