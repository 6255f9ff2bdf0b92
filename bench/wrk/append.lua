-- Posts the bodies of a file in turn. Arguments after `--`: the file, and `plain` or `follow-head` with a position.
--
-- With `follow-head` each answer is searched for a position, and the next request carries the last one found in
-- place of the mark of twelve characters: a client that knows the head as well as its last answer does. The mark
-- has a fixed width (JSON allows blanks before a number), so that all requests can be laid out before the start.
local MARK = '@@@@@@@@@@@@'
local requests, count, turn = {}, 0, 0
local heads, tails = {}, {}
local head = 0

local function lay_out(body)
  return table.concat({
    'POST ', wrk.path, ' HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ',
    #body, '\r\n\r\n', body,
  })
end

local function next_plain()
  turn = turn % count + 1
  return requests[turn]
end

local function next_following()
  turn = turn % count + 1
  if tails[turn] == nil then return heads[turn] end
  return heads[turn] .. string.format('%12d', head) .. tails[turn]
end

local function remember_head(status, headers, body)
  -- A refusal names the head too.
  local seen = tonumber(string.match(body, status < 300 and '[pP]osition":(%d+)' or '"head":(%d+)'))
  if seen ~= nil and seen > head then head = seen end
end

function init(arguments)
  for body in io.lines(arguments[1]) do
    count = count + 1
    local text = lay_out(body)
    local from, to = string.find(text, MARK, 1, true)
    requests[count] = text
    heads[count] = from and string.sub(text, 1, from - 1) or text
    tails[count] = from and string.sub(text, to + 1) or nil
  end
  if arguments[2] == 'follow-head' then
    request, response = next_following, remember_head
    head = tonumber(arguments[3])
  else
    request = next_plain
  end
end

function done(summary, latency, all)
  local errors = summary.errors
  io.write(string.format(
    'result {"requests":%d,"refused":%d,"broken":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
