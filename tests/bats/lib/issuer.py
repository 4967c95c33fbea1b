"""An issuer of tokens for tests: makes keys, signs with OpenSSL's command, serves its key set.

    issuer.py key FILE rsa|ec|ed25519           makes a private key
    issuer.py jwks FILE KID=KEYFILE...          writes the set of their public halves
    issuer.py token KEYFILE ALG HEADER CLAIMS   prints a token; JSON objects, merged into the usual ones
    issuer.py forge KEYFILE OTHERKEY KID        prints forged tokens: NAME, a tab, TOKEN
    issuer.py serve FOLDER                      serves FOLDER/jwks.json; the port is in FOLDER/port
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import sys
import time


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, given=None):
    return subprocess.run(["openssl", *args], input=given, check=True, capture_output=True).stdout


# ---- keys -----------------------------------------------------------------------------------------


def make_key(file, kind):
    how = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
           "ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
           "ed25519": ["ED25519"]}[kind]
    openssl("genpkey", "-algorithm", *how, "-out", file)


def public_jwk(file, kid):
    der = openssl("pkey", "-in", file, "-pubout", "-outform", "DER")
    if len(der) == 44:
        return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "x": b64(der[-32:])}
    if len(der) == 91:
        return {"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "x": b64(der[-64:-32]),
                "y": b64(der[-32:])}
    modulus = openssl("rsa", "-in", file, "-noout", "-modulus").decode().strip().split("=")[1]
    return {"kty": "RSA", "kid": kid, "use": "sig", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}


def write_jwks(file, pairs):
    keys = [public_jwk(path, kid) for kid, path in (p.split("=", 1) for p in pairs)]
    with open(file + ".new", "w", encoding="utf-8") as out:
        json.dump({"keys": keys}, out)
    os.rename(file + ".new", file)


# ---- tokens ---------------------------------------------------------------------------------------


def flat(der):
    """r and s of an ECDSA signature, 32 bytes each."""
    out, at = b"", 2
    for _ in range(2):
        n = der[at + 1]
        out += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + n
    return out


def signature(text, file, alg):
    if alg == "EdDSA":
        path = file + ".text"
        with open(path, "wb") as out:
            out.write(text)
        return openssl("pkeyutl", "-sign", "-rawin", "-in", path, "-inkey", file)
    pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
    made = openssl("dgst", "-sha256", "-sign", file, *(pss if alg == "PS256" else []), given=text)
    return flat(made) if alg == "ES256" else made


def usual_claims():
    now = int(time.time())
    return {"iss": "https://issuer.test", "aud": ["other", "rustydb"], "sub": "anna", "iat": now,
            "exp": now + 600, "roles": ["admin"]}


def unsigned(header, claims):
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}".encode()


def token(file, alg, header, claims):
    text = unsigned({"alg": alg, "typ": "JWT", **header}, {**usual_claims(), **claims})
    return f"{text.decode()}.{b64(signature(text, file, alg))}"


def mac(text, secret):
    return f"{text.decode()}.{b64(hmac.new(secret, text, hashlib.sha256).digest())}"


def forged(file, other, kid):
    """Pairs of what is wrong and a token; `file` is an RSA key of the issuer, `other` is not."""
    claims, now = usual_claims(), int(time.time())
    good = token(file, "RS256", {"kid": kid}, {})
    head, body, sig = good.split(".")
    for alg in ("none", "None", "nOnE", "NONE", ""):
        text = unsigned({"alg": alg, "kid": kid}, claims).decode()
        yield f"algorithm '{alg}'", text + "."
        yield f"algorithm '{alg}' with a signature", f"{text}.{sig}"
    hs = unsigned({"alg": "HS256", "kid": kid}, claims)
    yield "the public key as a secret", mac(hs, openssl("pkey", "-in", file, "-pubout"))
    yield "the key's DER as a secret", mac(hs, openssl("pkey", "-in", file, "-pubout",
                                                       "-outform", "DER"))
    yield "an empty secret", mac(hs, b"")
    yield "no signature", f"{head}.{body}."
    yield "no third part", f"{head}.{body}"
    yield "a fourth part", f"{good}.{sig}"
    more = b64(json.dumps({**claims, "roles": ["admin", "more"]}).encode())
    yield "changed claims", f"{head}.{more}.{sig}"
    yield "another's signature", token(other, "RS256", {"kid": kid}, {})
    yield "a key of its own in the header", token(
        other, "RS256", {"kid": kid, "jwk": public_jwk(other, kid)}, {})
    yield "another key id", token(file, "RS256", {"kid": "no-such-key"}, {})
    yield "another algorithm of the key", f"{head}.{body}.{b64(signature(f'{head}.{body}'.encode(), file, 'PS256'))}"
    yield "crit", token(file, "RS256", {"kid": kid, "crit": ["exp"]}, {})
    yield "a nested token", token(file, "RS256", {"kid": kid, "cty": "JWT"}, {})
    yield "a token of another purpose", token(file, "RS256", {"kid": kid, "typ": "logout+jwt"}, {})
    yield "padding", good + "=="
    yield "white space", good + " "
    yield "a line break", f"{head}.{body}\n.{sig}".replace("\n", "%0A")
    yield "the other alphabet", f"{head}.{body}.{sig[:-1]}+"
    yield "another issuer", token(file, "RS256", {"kid": kid}, {"iss": "https://issuer.test/"})
    yield "another audience", token(file, "RS256", {"kid": kid}, {"aud": "rustydb2"})
    yield "no audience", token(file, "RS256", {"kid": kid}, {"aud": None})
    yield "expired", token(file, "RS256", {"kid": kid}, {"exp": now - 3600})
    yield "no end", token(file, "RS256", {"kid": kid}, {"exp": None})
    yield "an end that is text", token(file, "RS256", {"kid": kid}, {"exp": str(now + 600)})
    yield "not yet", token(file, "RS256", {"kid": kid}, {"nbf": now + 3600})
    yield "from the future", token(file, "RS256", {"kid": kid}, {"iat": now + 3600})
    yield "no user", token(file, "RS256", {"kid": kid}, {"sub": None})
    yield "root", token(file, "RS256", {"kid": kid}, {"sub": "root"})
    twice = f'{{"alg":"none","alg":"RS256","kid":"{kid}"}}'.encode()
    text = f"{b64(twice)}.{body}".encode()
    yield "an algorithm twice", f"{text.decode()}.{b64(signature(text, file, 'RS256'))}"
    deep = b'{"x":' + b"[" * 1000 + b"]" * 1000 + b"}"
    text = f"{head}.{b64(deep)}".encode()
    yield "deep claims", f"{text.decode()}.{b64(signature(text, file, 'RS256'))}"


# ---- the server -----------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    folder = "."

    def do_GET(self):
        with open(os.path.join(self.folder, "requests"), "a", encoding="utf-8") as out:
            out.write(self.path + "\n")
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/jwks.json")
            self.end_headers()
        elif self.path == "/never":
            time.sleep(60)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b" " * 65536)
            except OSError:
                pass
        else:
            try:
                with open(os.path.join(self.folder, "jwks.json"), "rb") as file:
                    body = file.read()
            except OSError:
                self.send_error(500)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format, *args):
        pass


def serve(folder):
    Handler.folder = folder
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with open(os.path.join(folder, "port.new"), "w", encoding="utf-8") as out:
        out.write(str(server.server_port))
    os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
    server.serve_forever()


def main():
    what, *rest = sys.argv[1:]
    if what == "key":
        make_key(*rest)
    elif what == "jwks":
        write_jwks(rest[0], rest[1:])
    elif what == "token":
        print(token(rest[0], rest[1], json.loads(rest[2]), json.loads(rest[3])))
    elif what == "forge":
        for name, made in forged(*rest):
            print(f"{name}\t{made}")
    else:
        serve(rest[0])


if __name__ == "__main__":
    main()
