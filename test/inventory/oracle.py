"""Answers many ansible and ansible-inventory calls in one process, forking for each: starting it is the slow part.

Standard input: a JSON list of {"argv": [...], "cwd": "..."}. Standard output: a list of {"status", "stdout", "stderr"}.
"""
import json
import os
import sys
import tempfile

from ansible.cli.adhoc import AdHocCLI
from ansible.cli.inventory import InventoryCLI

COMMANDS = {"ansible": AdHocCLI, "ansible-inventory": InventoryCLI}


def answer(call):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.chdir(call["cwd"])
            status = 0
            try:
                COMMANDS[call["argv"][0]].cli_executor(call["argv"])
            except SystemExit as end:
                status = end.code or 0
            except BaseException:
                status = 250
            sys.stdout.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
        return {"status": os.waitstatus_to_exitcode(status), "stdout": texts[0], "stderr": texts[1]}


print(json.dumps([answer(call) for call in json.load(sys.stdin)]))
