"""Who is asking."""


def run(c):
    assert c.call("getIdentity", 200)["user_id"] == "root"
    good = c.call("checkToken", 200, body={"token": c.token})
    assert good["valid"] and good["identity"]["kind"] == "root", good
    bad = c.call("checkToken", 200, body={"token": c.token[:-1]})
    assert bad == {"valid": False, "identity": None}, bad
