"""Who is asking."""


def run(c):
    assert c.call("getIdentity", 200)["user_id"] == "root"
    good = c.call("checkToken", 200, body={"token": c.token})
    assert good["valid"] and good["identity"]["kind"] == "root", good
    bad = c.call("checkToken", 200, body={"token": c.token[:-1]})
    assert bad == {"valid": False, "identity": None}, bad

    logins(c)


PASSWORD = "correct horse battery"


def logins(c):
    """Needs a user with a password."""
    c.call("createUser", 201, body={"name": "contract-anna", "password": PASSWORD, "roles": []})
    c.call("createUser", 409, body={"name": "contract-anna", "roles": []})
    root = c.token
    good = {"user": "contract-anna", "password": PASSWORD}
    first = c.call("login", 200, body=good)
    c.call("login", 401, body={**good, "password": "wrong"})
    second = c.call("refreshLogin", 200, body={"refresh_token": first["refresh_token"]})
    c.call("refreshLogin", 401, body={"refresh_token": first["refresh_token"]})
    third = c.call("login", 200, body=good)
    other = c.call("login", 200, body=good)
    assert c.call("listLogins", 200, query={"user": "contract-anna"})["total"] == 2
    c.call("endLogin", 204, path={"id": other["session_id"]})
    c.call("endLogin", 404, path={"id": second["session_id"]})
    c.call("logout", 409)
    c.call("changePassword", 409, body={"old": PASSWORD, "new": PASSWORD})
    c.token = third["access_token"]
    assert c.call("validateCredentials", 200)["session_id"] == third["session_id"]
    assert c.call("changePassword", 200, body={"old": PASSWORD, "new": "seven quiet lamps"}) == {
        "sessions_ended": 0}
    for _ in range(5):
        c.call("changePassword", 401, body={"old": PASSWORD, "new": PASSWORD})
    c.call("changePassword", 429, body={"old": PASSWORD, "new": PASSWORD})
    c.call("login", 429, body=good)
    c.call("logout", 204)
    c.token = root
    assert c.call("endLoginsOfUser", 200, query={"user": "contract-anna"}) == {"ended": 0}
