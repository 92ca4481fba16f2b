"""Single things of an export, one at a time: what becomes of them, or what is said where nothing does."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from xds.compile import Compiler
from xds.importing import Imported, Sources, import_aws
from xds.source import Document, Tree, load

X = "x-amazon-apigateway-"
PROXY = {"type": "http_proxy", "httpMethod": "GET", "uri": "https://pets.example.com/pets"}
KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}
KEYS = b"keys:\n- consumer: mobile\n  sha256: '" + b"0" * 64 + b"'\n"


def document(name: str, value: Any) -> Document:
    found, problems = load(name, json.dumps(value).encode())
    assert found is not None, problems
    return found


def api(
    operation: dict[str, Any] | None = None,
    *,
    verb: str = "get",
    integration: dict[str, Any] | None = None,
    schemes: dict[str, Any] | None = None,
    paths: dict[str, Any] | None = None,
    stages: list[Any] | None = None,
    plans: list[Any] | None = None,
    stage: str = "",
    **top: Any,
) -> Imported:
    """An API with `GET /pets`, imported; what is imported must compile once there is a key."""
    own = {f"{X}integration": {**PROXY, "httpMethod": verb.upper(), **(integration or {})}, **(operation or {})}
    value = {
        "openapi": "3.0.1",
        "info": {"title": "pets", "version": "1"},
        "paths": {"/pets": {verb: own}, **(paths or {})},
        "components": {"securitySchemes": {"key": KEY, **(schemes or {})}},
        **{f"{X}{key.replace('_', '-')}": inner for key, inner in top.items()},
    }
    made = import_aws(
        Sources(
            document("export.json", value),
            document("stages.json", {"item": stages}) if stages is not None else None,
            document("plans.json", {"items": plans}) if plans is not None else None,
            stage=stage,
        )
    )
    compilation = Compiler().compile(Tree({**made.files, "keys/key.yaml": KEYS}))
    assert [d for d in compilation.diagnostics if d.is_error] == []
    return made


def contract(made: Imported, service: str = "pets") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(made.files[f"contracts/{service}/v1.yaml"])
    return found


def operation_of(made: Imported, verb: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = contract(made)["paths"]["/pets"][verb]
    return found


def said(made: Imported, *codes: str) -> str:
    wanted = codes or ("import-no-equivalent", "import-refused", "import-left-out")
    return "\n".join(note.message for note in made.notes if note.code in wanted)


def refused(made: Imported) -> bool:
    """Whether the policy names the operation as refused, and enforces it."""
    return b"refused :=" in made.files["policies/pets/authz.rego"] and "mode" not in operation_of(made).get(
        "x-sidegate", {}
    )


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([{"Effect": "Allow"}], None),
        (
            [{"Effect": "Allow", "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}}],
            {"allow": ["10.0.0.0/8"]},
        ),
        (
            [{"Effect": "Allow"}, {"Effect": "Deny", "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.7"}}}],
            {"deny": ["192.0.2.7"]},
        ),
        (
            [
                {"Effect": "Allow"},
                {"Effect": "Deny", "Condition": {"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}}},
            ],
            {"allow": ["192.0.2.0/24"]},
        ),
    ],
)
def test_resource_policies_by_address(statements: list[dict[str, Any]], expected: Any) -> None:
    common = {"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    made = api(policy={"Statement": [{**common, **s} for s in statements]})
    assert contract(made)["x-sidegate"].get("addresses") == expected
    assert not refused(made)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Deny"},
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
        {"Effect": "Allow", "Resource": "arn:aws:execute-api:r:1:a/prod/GET/pets"},
        {"Effect": "Allow", "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}},
        {"Effect": "Allow", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.1/8"}}},
        {"Effect": "Allow", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "Bool": {"aws:Secure": "true"}}},
        {"Effect": "Allow", "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
    ],
)
def test_a_resource_policy_that_says_more_closes_the_api(statement: dict[str, Any]) -> None:
    common = {"Principal": "*", "Action": "execute-api:Invoke", "Resource": "*"}
    made = api(policy={"Statement": [{**common, **statement}]})
    assert refused(made)
    assert "every operation is refused" in said(made)


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        ([{"key": []}], [{"key": []}]),
        ([{"key": []}, {"jwt": []}], [{"jwt": [], "key": []}]),
        ([{"jwt": ["a", "b"]}], [{"jwt": ["a"]}, {"jwt": ["b"]}]),
        ([{"jwt": ["a", "b"], "key": []}], [{"jwt": ["a"], "key": []}, {"jwt": ["b"], "key": []}]),
        ([], []),
    ],
)
def test_aws_asks_for_all_of_a_list_and_for_one_of_the_scopes(security: list[Any], expected: list[Any]) -> None:
    made = api({"security": security}, schemes={"jwt": _jwt()})
    assert operation_of(made)["security"] == expected
    assert not refused(made)


def _jwt(**more: Any) -> dict[str, Any]:
    configuration = {"issuer": "https://login.example.com", "audience": ["pets"]}
    return {"type": "oauth2", f"{X}authorizer": {"type": "jwt", "jwtConfiguration": configuration, **more}}


def _cognito(*pools: str) -> dict[str, Any]:
    arns = [f"arn:aws:cognito-idp:eu-west-1:1:userpool/{pool}" for pool in pools]
    authorizer = {"type": "cognito_user_pools", "providerARNs": arns}
    return {**KEY, f"{X}authtype": "cognito_user_pools", f"{X}authorizer": authorizer}


def test_each_user_pool_is_a_scheme() -> None:
    made = api({"security": [{"users": ["a"]}]}, schemes={"users": _cognito("eu-west-1_A", "eu-west-1_B")})
    assert operation_of(made)["security"] == [{"users": ["a"]}, {"users2": ["a"]}]
    settings = yaml.safe_load(made.files["sidegate.yaml"])["security"]
    assert settings["users2"]["issuer"] == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_B"
    assert settings["users2"]["jwks"]["url"].endswith("/eu-west-1_B/.well-known/jwks.json")
    assert settings["users"]["audiences"] == ["replace-with-your-app-client-id"], "no token has it, so none gets in"
    assert "no `aud`" in said(made, "import-no-equivalent")


@pytest.mark.parametrize(
    "scheme",
    [
        {**KEY, f"{X}authtype": "awsSigv4"},
        {**KEY, f"{X}authorizer": {"type": "request", "identitySource": "method.request.header.auth"}},
        {**KEY, f"{X}authorizer": {"type": "cognito_user_pools", "providerARNs": []}},
        {**KEY, f"{X}authorizer": {"type": "something new"}},
        _jwt(identitySource="$request.querystring.token"),
        _jwt(jwtConfiguration={"audience": ["pets"]}),
        {"type": "http", "scheme": "bearer"},
        None,
    ],
)
def test_whoever_decided_and_has_no_equivalent_closes_the_operation(scheme: dict[str, Any] | None) -> None:
    made = api({"security": [{"other": []}]}, schemes={"other": scheme} if scheme else {})
    assert refused(made)


def test_keys_that_an_authorizer_names_close_the_operation() -> None:
    assert refused(api({"security": [{"key": []}]}, api_key_source="AUTHORIZER"))


def _stage(**more: Any) -> dict[str, Any]:
    return {"stageName": "prod", "methodSettings": {}, **more}


@pytest.mark.parametrize(
    ("rate", "burst", "expected"),
    [
        (100.0, 200, {"limit": 100, "per": "second", "burst": 200}),
        (0.5, 3, {"limit": 30, "per": "minute", "burst": 3}),
        (0.001, 1, {"limit": 3, "per": "hour", "burst": 1}),
        (-1, -1, None),
    ],
)
def test_throttling(rate: float, burst: int, expected: dict[str, Any] | None) -> None:
    settings = {"*/*": {"throttlingRateLimit": rate, "throttlingBurstLimit": burst}}
    made = api(stages=[_stage(methodSettings=settings)])
    limits = contract(made)["x-sidegate"].get("rateLimits")
    common = {"name": "stage-throttle", "by": [], "scope": "operation"}
    assert limits == (None if expected is None else [{**common, **expected}])


def test_a_rate_of_zero_closes() -> None:
    assert refused(
        api(stages=[_stage(methodSettings={"*/*": {"throttlingRateLimit": 0.0, "throttlingBurstLimit": 0}})])
    )
    assert refused(api(stages=[_stage(methodSettings={"~1pets/GET": {"throttlingRateLimit": 0.0}})]))


def test_usage_plans_are_plans() -> None:
    plans = [
        {"name": "Free", "apiStages": [{"stage": "prod"}], "throttle": {"rateLimit": 1, "burstLimit": 2},
         "quota": {"limit": 10, "period": "DAY"}},
        {"name": "Gold", "apiStages": [{"stage": "prod", "throttle": {"/pets/GET": {"rateLimit": 1}}}],
         "throttle": {"rateLimit": 9, "burstLimit": 9}},
        {"name": "gold!", "apiStages": [{"stage": "prod"}]},
        {"name": "Default", "apiStages": [{"stage": "prod"}], "throttle": {"rateLimit": 0, "burstLimit": 0}},
        {"name": "Else", "apiStages": [{"stage": "test"}], "throttle": {"rateLimit": 0.1, "burstLimit": 1}},
    ]  # fmt: skip
    made = api({"security": [{"key": []}]}, stages=[_stage()], plans=plans)
    settings = yaml.safe_load(made.files["sidegate.yaml"])
    throttle, quota = {"name": "throttle", "per": "second"}, {"name": "quota-day", "limit": 10, "per": "day"}
    free = [{**throttle, "limit": 1, "burst": 2}, {**quota, "store": "shared", "onFailure": "closed"}]
    assert settings["plans"] == {
        "free": {"rateLimits": free},
        "gold": {"rateLimits": [{**throttle, "limit": 9, "burst": 9}]},
        "gold-2": {},
        "plan-default": {},
    }
    assert "rateLimit" in settings
    assert "rateLimits" not in contract(made)["x-sidegate"]
    assert "Gold: limits of single methods have no equivalent: /pets/GET" in said(made, "import-no-equivalent")
    assert "Default: a throttle of zero" in said(made, "import-no-equivalent")
    assert "free, gold, gold-2, plan-default" in said(made, "import-todo")


def test_plans_count_keys_only() -> None:
    plans = [{"name": "Free", "apiStages": [{"stage": "prod"}], "quota": {"limit": 10, "period": "DAY"}}]
    made = api(stages=[_stage()], plans=plans)
    assert "rateLimits" not in contract(made)["x-sidegate"]
    assert not {"rateLimit", "plans"} & set(yaml.safe_load(made.files["sidegate.yaml"]))
    assert "no operation that is carried over asks for one" in said(made, "import-no-equivalent")


@pytest.mark.parametrize(("security", "shared"), [([], True), ([{"key": []}], None)])
def test_only_what_nobody_signs_in_for_is_shared(security: list[Any], shared: bool | None) -> None:
    stage = _stage(cacheClusterEnabled=True, methodSettings={"*/*": {"cachingEnabled": True, "cacheTtlInSeconds": 30}})
    made = api({"security": security}, stages=[stage])
    assert operation_of(made)["x-sidegate"]["cache"] == {"ttl": "30s", **({"shared": True} if shared else {})}


@pytest.mark.parametrize(
    ("name", "value", "key", "expected"),
    [
        ("integration.request.header.x-a", "'b'", "headers", {"request": {"set": {"x-a": "b"}}}),
        ("integration.request.querystring.a", "'b'", "query", {"set": {"a": "b"}}),
        ("append:header.x-a", "$context.requestId", "headers", {"request": {"add": {"x-a": "${traceId}"}}}),
        ("append:header.x-a", "b", "headers", {"request": {"add": {"x-a": "b"}}}),
        ("remove:header.x-a", "''", "headers", {"request": {"remove": ["x-a"]}}),
        ("remove:querystring.a", "''", "query", {"remove": ["a"]}),
        ("integration.request.header.x-a", "method.request.header.X-A", "headers", None),
    ],
)
def test_fixed_mappings(name: str, value: str, key: str, expected: Any) -> None:
    made = api(integration={"requestParameters": {name: value}})
    assert operation_of(made)["x-sidegate"].get(key) == expected
    assert said(made) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("integration.request.header.x-a", "context.identity.sourceIp"),
        ("integration.request.header.x-a", "method.request.header.x-b"),
        ("integration.request.header.host", "'other.example.com'"),
        ("integration.request.querystring.a", "stageVariables.b"),
        ("overwrite:path", "/a"),
        ("append:header.x-a", "$context.identity.sourceIp"),
        ("something", "else"),
    ],
)
def test_mappings_that_are_lost_are_named(name: str, value: str) -> None:
    assert said(api(integration={"requestParameters": {name: value}}), "import-no-equivalent")


@pytest.mark.parametrize(
    ("integration", "words"),
    [
        (
            {"type": "aws_proxy", "uri": "arn:aws:apigateway:r:lambda:path/x:function:f/invocations"},
            "Lambda function f",
        ),
        ({"type": "aws", "uri": "arn:aws:apigateway:r:sqs:path/1/q"}, "an AWS service"),
        ({"type": "aws_proxy", "integrationSubtype": "SQS-SendMessage", "uri": None}, "SQS-SendMessage"),
        ({"connectionType": "VPC_LINK", "uri": "arn:aws:elasticloadbalancing:r:1:listener/net/a"}, "VPC link"),
        ({"uri": "ftp://pets.example.com"}, "no service that can be asked"),
        ({"httpMethod": "POST"}, "a method cannot be changed"),
        ({"uri": "https://pets.example.com/{other}"}, "nothing says what other is"),
        ({"requestTemplates": {"application/json": "$input.body"}}, "VTL template"),
        ({"type": "mock", "responses": {"default": {"responseTemplates": {"a/b": "$x"}}}}, "VTL template"),
    ],
)
def test_what_cannot_be_served_is_kept_and_refused(integration: dict[str, Any], words: str) -> None:
    made = api(integration=integration)
    assert refused(made)
    assert words in said(made, "import-refused")


def test_methods_of_one_path_that_ask_two_services() -> None:
    """A path is one service's: which one is said, and the other method is not there."""
    other = {f"{X}integration": {**PROXY, "httpMethod": "POST", "uri": "https://other.example.com/pets"}}
    own = {"get": {f"{X}integration": PROXY}}
    made = api(paths={"/cats": own, "/fish": own, "/dogs": {"post": other}, "/pets": {**own, "post": other}})
    assert "POST /pets asks pets-other-example-com" in said(made, "import-left-out")
    assert set(contract(made, "pets-other-example-com")["paths"]) == {"/dogs"}
    assert set(contract(made)["paths"]) == {"/pets", "/cats", "/fish"}


def test_stage_variables_nobody_knows_reach_nobody() -> None:
    made = api(integration={"uri": "https://${stageVariables.host}/pets"})
    assert yaml.safe_load(made.files["sidegate.yaml"])["services"]["pets"]["upstream"] == "https://pets.invalid"
    assert "host" in said(made, "import-todo")


def test_cors_of_everybody_with_credentials_is_without() -> None:
    made = api(cors={"allowOrigins": ["*"], "allowCredentials": True, "allowMethods": ["GET"]})
    assert contract(made)["x-sidegate"]["cors"] == {"origins": ["*"], "methods": ["GET"]}
    assert "credentials from every origin" in said(made)


def test_a_gateway_response_in_the_clients_form() -> None:
    template = '{"error": $context.error.messageString, "id": "$context.requestId"}'
    made = api(gateway_responses={"THROTTLED": {"responseTemplates": {"application/json": template}}})
    wanted = {"body": {"error": "${detail}", "id": "${traceId}"}, "mediaType": "application/json"}
    assert contract(made)["x-sidegate"]["errors"] == {"429": wanted}


def test_an_extension_that_nobody_knows_is_named() -> None:
    assert "`x-amazon-apigateway-teleport`" in said(api(teleport={"enabled": True}))


def test_what_the_export_says_to_sidegate_does_not_count() -> None:
    """Whoever wrote the export did not write it for this gateway: `mode: off` would open it."""
    made = api({"security": [{"key": []}], "x-sidegate": {"mode": "off"}})
    assert operation_of(made)["x-sidegate"].get("mode") == "report"


def test_a_private_api_is_said() -> None:
    """At the API, as 2.0 has it; at the server it is in the example `lost`."""
    made = api(endpoint_configuration={"vpcEndpointIds": ["vpce-1"], "disableExecuteApiEndpoint": True})
    assert "reached through VPC endpoints alone" in said(made)
    assert "VPC endpoints" not in said(api(endpoint_configuration={"disableExecuteApiEndpoint": True}))


def test_a_stage_of_the_resource_policy_is_the_whole_of_it() -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke"}
    prod = {**statement, "Resource": "arn:aws:execute-api:r:1:a/prod/*"}
    assert refused(api(policy={"Statement": [prod]})), "whether this is its stage is not said"


def test_paths_that_differ_between_stages_are_named() -> None:
    stages = [
        _stage(variables={"url": "a.example.com/v1"}),
        {"stageName": "test", "variables": {"url": "b.example.com/v2"}},
    ]
    made = api(integration={"uri": "https://${stageVariables.url}/pets"}, stages=stages, stage="prod")
    assert operation_of(made)["x-sidegate"]["rewrite"] == {"path": "/v1/pets"}
    assert "differs between stages" in said(made, "import-no-equivalent")
    assert b"https://b.example.com" in made.files["sidegate.test.yaml"]


@pytest.mark.parametrize(
    "operation",
    [{"security": "key"}, {"security": ["key"]}, {f"{X}auth": {"type": "AWS_IAM"}}, {f"{X}auth": {"type": "NEW"}}],
)
def test_what_cannot_be_read_closes(operation: dict[str, Any]) -> None:
    assert refused(api(operation))
