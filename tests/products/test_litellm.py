"""The Router of LiteLLM's library on loopback."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.products.asking import driven
from tests.products.installing import python_of
from tests.products.upstream import running_upstream


def test_the_router_asks_the_upstream(tmp_path: Path) -> None:
    with running_upstream() as upstream:
        params = {"model": "openai/small", "api_base": upstream.url, "api_key": "os.environ/KEY", "max_tokens": 7}
        config = {"model_list": [{"model_name": "a", "litellm_params": params, "model_info": {"id": "first"}}]}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
        env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "KEY": "sk-loopback"}
        with driven(python_of("litellm"), "litellm_router.py", tmp_path, env) as router:
            said = router.ask({"model": "a", "messages": [{"role": "user", "content": "hi"}]})
        assert (said["model_id"], said["text"]) == ("first", "answer 1 of small")
        assert upstream.seen[0].body["max_tokens"] == 7
        assert upstream.seen[0].headers["authorization"] == "Bearer sk-loopback"
