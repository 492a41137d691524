#!/usr/bin/env bash
# What we push is pulled byte for byte by skopeo and podman, and what they push by us; docker-registry with a token
# server of its own, behind TLS with a private authority.
. "$(dirname "$0")/lib.sh"
requires docker-registry skopeo podman python3 openssl jq
make_keys
sealed_image
port=$(free_port)

# An authority, a server certificate that it issued, and a key for tokens.
subject() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$1.key" -subj "/CN=$1" "${@:2}" 2> /dev/null; }
subject authority -x509 -days 2 -out "$work/authority.crt"
subject server -out "$work/server.csr"
openssl x509 -req -in "$work/server.csr" -CA "$work/authority.crt" -CAkey "$work/authority.key" -CAcreateserial -days 2 \
  -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) -out "$work/server.crt" 2> /dev/null
subject tokens -x509 -days 2 -out "$work/tokens.crt"

# The token server: Basic for `me`, anybody may read; each token is for the scopes that were asked for.
cat > "$work/tokens.py" << 'PY'
import base64, hashlib, http.server, json, os, ssl, subprocess, sys, time, urllib.parse
work, port = sys.argv[1], int(sys.argv[2])
b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
chain = [open(work + "/tokens.crt").read().split("-----")[2].replace("\n", "")]
def sign(text):
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", work + "/tokens.key"], input=text.encode(), capture_output=True, check=True).stdout
    def number(at):
        n = der[at + 1]
        return der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0"), at + 2 + n
    r, at = number(2)
    s, at = number(at)
    return r + s
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        given = self.headers.get("Authorization", "")
        user = "me" if given == "Basic " + base64.b64encode(b"me:pass word").decode() else ""
        with open(work + "/asked", "a") as log:
            log.write((user or "anybody") + " " + " ".join(query.get("scope", [])) + "\n")
        if given and not user:
            self.send_response(401); self.send_header("Content-Length", "0"); self.end_headers(); return
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            kind, name, actions = scope.split(":")
            actions = [a for a in actions.split(",") if user or a == "pull"]
            access.append({"type": kind, "name": name, "actions": actions})
        now = int(time.time())
        claims = {"iss": "intact-test", "sub": user, "aud": query["service"][0], "exp": now + 300, "nbf": now - 10, "iat": now,
                  "jti": os.urandom(8).hex(), "access": access}
        text = b64(json.dumps({"typ": "JWT", "alg": "ES256", "x5c": chain}).encode()) + "." + b64(json.dumps(claims).encode())
        body = json.dumps({"token": text + "." + b64(sign(text)), "expires_in": 300}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(work + "/server.crt", work + "/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PY
python3 "$work/tokens.py" "$work" "$((port + 1))" > "$work/tokens.log" 2>&1 &
await eval "(: < /dev/tcp/127.0.0.1/$((port + 1))) 2> /dev/null"
serve_registry tokens "$port" ", tls: {certificate: $work/server.crt, key: $work/server.key}" \
  "auth: {token: {realm: 'https://localhost:$((port + 1))/token', service: here, issuer: intact-test, rootcertbundle: $work/tokens.crt}}"
place=localhost:$port/team
certs=$HOME/.config/containers/certs.d/localhost:$port

# Without the authority nobody is talked to.
expect 5 "$intact" copy "oci:$work/layout:latest-sealed" "docker://$place/ours:1"
said 'its TLS certificate is not trusted'
mkdir -p "$certs"
cp "$work/authority.crt" "$certs/ca.crt"
expect 4 "$intact" copy "oci:$work/layout:latest-sealed" "docker://$place/ours:1"
said 'writing is refused|run .intact login'
printf 'wrong' > "$work/secret"
expect 4 "$intact" login -u me --password-file "$work/secret" "localhost:$port"
said 'refuses the credentials of this login'
printf 'pass word' > "$work/secret"
expect 0 "$intact" login -u me --password-file "$work/secret" "localhost:$port"
: > "$work/asked"
expect 0 "$intact" copy "oci:$work/layout:latest-sealed" "docker://$place/ours:1"
# Tokens were asked for this repository, by this user.
grep -qx 'me repository:team/ours:pull,push' "$work/asked" || fail "asked: $(cat "$work/asked")"
! grep -v 'team/ours:' "$work/asked" || fail "a token for something else"
digest=$(manifest_digest "$work/layout" latest-sealed)

# same DIR: the image has the same manifest, config and layers as ours.
same() {
  local one
  equal "$(manifest_digest "$1" "$2")" "$digest" "digest in $1"
  for one in "$digest" $(jq -r '.config.digest, .layers[].digest' "$(blob "$work/layout" "$digest")"); do
    cmp "$(blob "$work/layout" "$one")" "$(blob "$1" "$one")" || fail "$one differs in $1"
  done
}
skopeo --insecure-policy copy -q --preserve-digests --src-cert-dir "$certs" "docker://$place/ours:1" "oci:$work/skopeo:1"
same "$work/skopeo" 1
skopeo --insecure-policy copy -q --preserve-digests --dest-cert-dir "$certs" --dest-authfile "$XDG_RUNTIME_DIR/containers/auth.json" \
  "oci:$work/layout:latest-sealed" "docker://$place/theirs:1"
expect 0 "$intact" copy "docker://$place/theirs:1" "oci:$work/ours:1"
same "$work/ours" 1
expect 0 "$intact" pull "docker://$place/theirs:1" theirs --pin "$digest"

# podman, with a store of its own.
echo '{"default": [{"type": "insecureAcceptAnything"}]}' > "$work/policy.json"
pod() { podman --root "$work/podman" --runroot "$work/podman-run" --storage-driver vfs "$@"; }
if pod info > "$work/podman.log" 2>&1; then
  pod pull -q --signature-policy "$work/policy.json" --cert-dir "$certs" "$place/ours:1" > /dev/null
  equal "$(pod image inspect "$place/ours:1" | jq -r '.[0].Digest')" "$digest" "digest that podman pulled"
  pod push -q --signature-policy "$work/policy.json" --cert-dir "$certs" --authfile "$XDG_RUNTIME_DIR/containers/auth.json" \
    "$place/ours:1" "docker://$place/podman:1"
  expect 0 "$intact" inspect "docker://$place/podman:1" --json
  pushed=$(jq -r .digest "$work/out")
  # podman compresses layers again; the files in them are those that were sealed.
  expect 0 "$intact" pull "docker://$place/theirs:1" again --pin "$digest" --json
  image=$(jq -r .image "$work/out")
  expect 0 "$intact" pull "docker://$place/podman:1" podman --pin "$pushed" --json
  equal "$(jq -r .image "$work/out")" "$image" "image that podman has pushed"
  expect 0 "$intact" verify podman
else
  cat "$work/podman.log" >&2
  fail "podman does not work here"
fi
