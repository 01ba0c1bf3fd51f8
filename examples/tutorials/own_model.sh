# docs/tutorials/own-model.md, where OPENAI_BASE_URL and OPENAI_API_KEY name an endpoint.

cambrian model check some-model

cambrian --archive ./asked run --rewriter model --model some-model --benchmarks split-segments --proposals 1 --tokens 200000

cambrian --archive ./asked cost --by model
cambrian --archive ./asked agent why @best
