"""Users, roles and API keys."""


def run(c):
    roles(c)
    users(c)
    keys(c)


def roles(c):
    name = {"name": "contract-clerk"}
    c.sql("CREATE TABLE IF NOT EXISTS contract_orders(id INTEGER PRIMARY KEY, owner, card)")
    role = {
        **name,
        "description": "Takes orders.",
        "inherits": [],
        "tables": [
            {"table": "contract_orders", "operations": ["select", "insert"],
             "where": "owner = current_user()", "columns": ["id", "owner", "card"],
             "masks": {"card": {"kind": "partial", "keep": 4}}},
            {"table": "*", "operations": ["select"], "where": "1"},
        ],
        "channels": [{"channel": "news.*", "operations": ["subscribe"]}],
        "streams": ["metrics"],
        "scopes": ["sql"],
    }
    made = c.call("createRole", 201, body=role)
    tag = c.headers["ETag"]
    assert {k: made[k] for k in role} == role, made
    c.call("createRole", 409, body=role)
    c.call("createRole", 409, body={"name": "admin"})
    wrong = [{**role["tables"][0], "where": "no_such_column = 1"}]
    c.call("createRole", 400, body={"name": "contract-x", "tables": wrong})
    assert c.call("listRoles", 200)["roles"][0]["name"] == "admin"
    assert c.call("getRole", 200, path=name) == made
    assert c.call("getRole", 200, path={"name": "admin"})["tables"][0]["table"] == "*"
    c.call("getRole", 304, path=name, headers={"If-None-Match": tag})
    c.call("getRole", 404, path={"name": "contract-none"})
    c.call("putRole", 200, path=name, body=made, headers={"If-Match": tag})
    c.call("putRole", 412, path=name, body=made, headers={"If-Match": tag})
    c.call("putRole", 409, path={"name": "admin"}, body={})
    c.call("putRole", 201, path={"name": "contract-other"}, body={"inherits": ["contract-clerk"]})
    c.call("deleteRole", 409, path=name)
    c.call("deleteRole", 412, path=name, headers={"If-Match": tag})
    c.call("deleteRole", 404, path={"name": "contract-none"})
    c.call("deleteRole", 200, path={"name": "contract-other"})


def users(c):
    name = {"name": "contract-bert"}
    c.call("createUser", 201, body={"name": "contract-cora", "uid": 64001})
    made = c.call("createUser", 201, body={
        **name, "password": "five loud trains", "roles": ["contract-clerk"],
        "claims": {"tenant": 7}, "certificates": ["CN=contract"], "uid": 64002})
    tag = c.headers["ETag"]
    c.call("createUser", 409, body=name)
    c.call("createUser", 400, body={"name": "contract-x", "roles": ["contract-none"]})
    assert c.call("listUsers", 200, query={"limit": 1})["total"] >= 2
    assert c.call("getUser", 200, path=name) == made
    c.call("getUser", 304, path=name, headers={"If-None-Match": tag})
    c.call("getUser", 404, path={"name": "contract-none"})
    c.call("updateUser", 200, path=name, body={"disabled": True}, headers={"If-Match": tag})
    c.call("updateUser", 412, path=name, body={"disabled": True}, headers={"If-Match": tag})
    c.call("updateUser", 409, path=name, body={"uid": 64001})
    c.call("updateUser", 404, path={"name": "contract-none"}, body={})
    c.call("replaceUser", 200, path=name, body={"roles": ["contract-clerk"]})
    c.call("replaceUser", 412, path=name, body={}, headers={"If-Match": tag})
    c.call("replaceUser", 409, path=name, body={"uid": 64001})
    c.call("replaceUser", 404, path={"name": "contract-none"}, body={})
    c.call("deleteUser", 412, path=name, headers={"If-Match": tag})
    c.call("deleteUser", 404, path={"name": "contract-none"})
    c.call("deleteUser", 200, path={"name": "contract-cora"})


def keys(c):
    made = c.call("createApiKey", 201, body={
        "description": "contract", "user": "contract-bert", "roles": ["contract-clerk"],
        "addresses": ["127.0.0.0/8"], "rate": 1000, "expires_at": "2099-12-31T00:00:00+01:00"})
    key = {"id": made["id"]}
    root, c.token = c.token, made["key"]
    identity = c.call("getIdentity", 200)
    assert identity["user_id"] == "contract-bert" and identity["kind"] == "key", identity
    assert identity["roles"] == ["contract-clerk"] and identity["tables"][0]["restricted"], identity
    c.token = root
    assert c.call("listApiKeys", 200)["total"] >= 1
    shown = c.call("getApiKey", 200, path=key)
    assert shown["last_used_at"] and "key" not in shown, shown
    c.call("getApiKey", 404, path={"id": "contract-none"})
    c.call("deleteApiKey", 404, path={"id": "contract-none"})
    c.call("deleteApiKey", 200, path=key)
