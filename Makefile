# Zero Entry. `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: demo test check bench soak clean help lock

export CAMERA PORT UPGRADE SEEDS JOBS SUITES

help: ## what there is (this page)
	@echo "Zero Entry: guards closed bid-evaluation rooms"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  make demo CAMERA=rtsp://HOST/PATH    your own camera in a room of the demo;"
	@echo "                                       a video file or /dev/video0 works as well"
	@echo "  make demo PORT=8081                  another port for the console (8080)"
	@echo "  make test SUITES='unit browser'      only these suites; make test SUITES=list lists them"

demo: ## install into .venv and run a whole site in your browser, until Ctrl-C
	@deploy/setup/demo-system.sh && deploy/setup/bootstrap.sh demo && exec .venv/bin/zeroentry demo $${CAMERA:+--camera "$$CAMERA"} $${PORT:+--port "$$PORT"}

test: ## everything that CI runs, in under 20 minutes; installs a browser and a broker by apt-get, ROS 2 into .venv-robot
	@deploy/setup/test-system.sh && deploy/setup/bootstrap.sh dev && exec .venv/bin/python tests/run.py $$SUITES

check: ## format, lint, types, import rules and unit tests: what to run before a commit
	@deploy/setup/bootstrap.sh dev && exec .venv/bin/python tests/run.py format lint types imports unit

bench: ## every benchmark in its quick form; writes docs/reference/benchmarks.md
	@deploy/setup/bootstrap.sh dev && exec .venv/bin/python -m benchmarks

soak: ## play 10,000 simulated days of robots and faults (SEEDS=, JOBS=); goes on where it was stopped
	@deploy/setup/bootstrap.sh dev && exec .venv/bin/zeroentry simulate soak --seeds $${SEEDS:-10000} --jobs $${JOBS:-0}

lock: ## choose versions anew: requirements/*.txt from pyproject.toml (UPGRADE=1 takes the newest)
	@exec deploy/setup/lock.sh $${UPGRADE:+--upgrade}

clean: ## remove .venv, builds and caches; what was recorded (var/) stays
	rm -rf .venv .venv-robot build dist .run .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
