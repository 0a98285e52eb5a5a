#!/usr/bin/env python3
"""Lets strangers judge the doors: `openapi-spec-validator` the documents, `schemathesis` what is served.

Asks a running switch for its documents and sends it whatever they allow and much that they don't. It passes if no
answer is a server error and none has a status or a media type that is not documented. Both judges are shown something
bad first; a judge that lets it pass is not believed.

    python3 -m venv judges && judges/bin/pip install schemathesis openapi-spec-validator
    judges/bin/python switch/tests/judges/judge.py --phones http://127.0.0.1:8080 \
        --terminals http://127.0.0.1:8081 --admin http://127.0.0.1:9090 --terminal T1:KEY --subscriber 15550000009

The switch has to show one-time codes (as the demo does), or the script cannot log in.
"""

import argparse
import base64
import copy
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.request

# The curve's own generator: a well-known point on P-256, for a device key that signs nothing.
DEVICE_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
    "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
}
CHECKS = ",".join(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "missing_required_header",
        "unsupported_method",
        "ignored_auth",
    ]
)
# Streams do not end, so no fuzzer waits for them; they are tested by name in the switch's own tests.
STREAMS = ["/v1/events", "/v1/overview/events"]
BIN = pathlib.Path(sys.executable).parent
HERE = pathlib.Path(__file__).resolve().parent


def main():
    args = arguments()
    distrust_judges()
    phone = f"Bearer {log_in(args.phones, args.subscriber)}"
    terminal = f"Basic {base64.b64encode(args.terminal.encode()).decode()}"
    admin = f"Bearer {args.admin_token}" if args.admin_token else None
    ask_for_money(args, phone, terminal)
    known = asked("GET", f"{args.phones}/v1/payments", phone)["payments"]
    os.environ["PAYMENTS"] = " ".join(payment["id"] for payment in known)
    print(f"known to the judge: {[payment['status'] for payment in known]}", flush=True)
    verdicts = [
        judged("admin", args.admin, admin, args),
        judged("terminals", args.terminals, terminal, args),
        judged("phones", args.phones, phone, args),
    ]
    sys.exit(0 if all(verdicts) else 1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for door in ["phones", "terminals", "admin"]:
        parser.add_argument(f"--{door}", required=True, metavar="URL")
    parser.add_argument("--terminal", required=True, metavar="ID:KEY")
    parser.add_argument("--subscriber", required=True)
    parser.add_argument("--admin-token")
    parser.add_argument("--examples", type=int, default=50, help="examples for each operation")
    return parser.parse_args()


def judged(door, url, authorization, args):
    document = json.load(urllib.request.urlopen(f"{url}/openapi.json"))
    valid, why = is_valid(document)
    print(f"{door}: openapi-spec-validator {'accepts the document' if valid else 'REJECTS the document: ' + why}", flush=True)
    streams = [path for path in STREAMS if path in document["paths"]]
    clean = survives(url, authorization, args.examples, streams)
    print(f"{door}: schemathesis {'finds nothing' if clean else 'FINDS FAULTS'}", flush=True)
    return valid and clean


def is_valid(document):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        judged = subprocess.run([BIN / "openapi-spec-validator", "--validation-errors", "all", file.name], capture_output=True, text=True)
        return judged.returncode == 0, judged.stdout + judged.stderr


def survives(url, authorization, examples, excluded=(), quiet=False):
    command = [BIN / "st", "run", f"{url}/openapi.json", "--url", url, "--checks", CHECKS, "--max-examples", str(examples)]
    command += ["--phases", "examples,coverage,fuzzing", "--seed", "1", "--workers", "1", "--suppress-health-check", "all"]
    command += ["--request-timeout", "30", "--generation-database", "none", "--no-color"]
    for path in excluded:
        command += ["--exclude-path", path]
    command += ["--warnings", "off"]
    if authorization:
        command += ["--header", f"Authorization: {authorization}"]
    output = subprocess.DEVNULL if quiet else None
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "knowledge", "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as there:
        return subprocess.run(command, cwd=there, env=environment, stdout=output, stderr=output).returncode == 0


def log_in(phones, subscriber):
    code = posted(f"{phones}/v1/login/codes", {"subscriber": subscriber})["code"]
    said = {"subscriber": subscriber, "code": code, "device_key": DEVICE_KEY}
    return posted(f"{phones}/v1/login", said)["access_token"]


def ask_for_money(args, phone, terminal):
    """Something open, so that the judge gets behind the 404; what is decided already is in the phone's list."""
    asked("PUT", f"{args.phones}/v1/binding", phone, {"terminal": args.terminal.split(":")[0]})
    asked("POST", f"{args.terminals}/v1/payments", terminal, {"amount": "3.00", "currency": "EUR", "answer_within_seconds": 300})


def posted(url, body):
    return asked("POST", url, None, body)


def asked(method, url, authorization, body=None):
    headers = {"Content-Type": "application/json", "Idempotency-Key": "judged-1"}
    if authorization:
        headers["Authorization"] = authorization
    data = None if body is None else json.dumps(body).encode()
    return json.load(urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)))


def distrust_judges():
    """A document without its responses, and a server that fails and invents statuses: both have to be seen."""
    operation = {"parameters": [{"name": "n", "in": "query", "schema": {"type": "integer"}}]}
    good = copy.deepcopy(operation) | {"responses": {"200": {"description": "fine"}}}
    document = lambda op: {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/": {"get": op}}}
    bad = document(copy.deepcopy(good))
    bad["paths"]["/"]["get"]["parameters"][0]["in"] = "nowhere"
    if is_valid(bad)[0] or not is_valid(document(good))[0]:
        sys.exit("openapi-spec-validator does not know good from bad: not believed")
    for status in [500, 418]:
        with bad_server(status, document(good)) as url:
            if survives(url, None, 3, quiet=True):
                sys.exit(f"schemathesis let an undocumented {status} pass: not believed")
    with bad_server(200, document(good)) as url:
        if not survives(url, None, 3, quiet=True):
            sys.exit("schemathesis blames a server that does nothing wrong: not believed")
    print("both judges know good from bad", flush=True)


class bad_server:
    def __init__(self, status, document):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                is_document = self.path == "/openapi.json"
                self.send_response(200 if is_document else status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document if is_document else {}).encode())

            def refuse(self):
                self.send_response(405)
                self.send_header("Allow", "GET")
                self.end_headers()

            do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = do_TRACE = do_QUERY = refuse

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()


if __name__ == "__main__":
    main()
