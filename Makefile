# Two commands are enough: `make demo` and `make test`.

.PHONY: demo test build release lint format bench clean dependencies server

demo: release
	.build/release/zohosync demo

test: server
	@scripts/test

build: dependencies
	swift build

# With Swift's libraries inside, so that it runs where there is no Swift.
release: dependencies
	swift build -c release --product zohosync --static-swift-stdlib

lint:
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks

format:
	swift format --in-place --recursive Package.swift Sources Tests Benchmarks

bench: server release
	Benchmarks/run
	Benchmarks/webhooks

dependencies:
	@scripts/dependencies

server:
	@scripts/dependencies postgresql

clean:
	rm -rf .build demo
