-- Delivers edits of products as Zoho's webhooks do, each with another id and price; for wrk.
-- Environment: WEBHOOK_KEY; RECORD, a file with the JSON of one item; THREADS, as many as wrk has.
local record = io.open(os.getenv("RECORD")):read("a")
local key = os.getenv("WEBHOOK_KEY")
local threads = tonumber(os.getenv("THREADS"))
local seed = 0

function setup(thread)
   thread:set("number", seed)
   seed = seed + 1
end

function init()
   count = 0
end

function request()
   count = count + 1
   local id = string.format("3460110000%09d", (count * threads + number) % 2200)
   local stamp = os.date("!%Y-%m-%dT%H:%M:%S+0000")
   local body = record:gsub('"item_id":"%d+"', '"item_id":"' .. id .. '"', 1)
      :gsub('"rate":[%d.]+', '"rate":' .. (count % 1000) .. "." .. number, 1)
      :gsub('"last_modified_time":"[^"]*"', '"last_modified_time":"' .. stamp .. '"', 1)
   return wrk.format("POST", "/api/zoho/webhooks/products",
      { ["Content-Type"] = "application/json", ["X-Webhook-Key"] = key }, '{"item":' .. body .. "}")
end

function done(summary, latency)
   local errors = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
   io.write(string.format("RESULT %.0f %.2f %.2f %.2f %d %d\n", summary.requests / (summary.duration / 1e6),
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3,
      summary.requests, errors))
end
