"""An endpoint to try jobs/classify.json with: tells of a URL, by its ending, what it leads to.

    python jobs/endpoint.py [PORT]

POST ``{"url": "https://host/cat.jpg"}`` is answered with ``{"url", "result": "image/jpeg"}``, and
with 422 where the URL has no ending that is known.
"""

import json
import mimetypes
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Classifier(BaseHTTPRequestHandler):
    """Answers one request after the other on a connection."""

    protocol_version = "HTTP/1.1"  # keeps connections open for the next call
    disable_nagle_algorithm = True  # which would hold each answer's body back

    def do_POST(self):
        """Answers with what the URL of the body leads to."""
        url = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["url"]
        kind, _ = mimetypes.guess_type(urlsplit(url).path)
        if kind is None:
            self._answer(422, {"error": f"{url} has no ending that tells what it leads to"})
        else:
            self._answer(200, {"url": url, "result": kind})

    def _answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Says nothing of each request."""


class Server(ThreadingHTTPServer):
    """Lets as many calls wait for their connection as a few workers make at once."""

    request_queue_size = 1000

    def handle_error(self, request, client_address):
        """Tells of errors, and says nothing of a caller that has gone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def main():
    """Serves until Ctrl-C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8750
    with Server(("127.0.0.1", port), Classifier) as server:
        print(f"http://127.0.0.1:{server.server_port}/classify", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
