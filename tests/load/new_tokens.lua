-- wrk: each request carries the next line of the file TOKENS; the run ends with the last one.
local requests, at, ended = {}, 0, false

function init(args)
   for token in io.lines(os.getenv("TOKENS")) do
      wrk.headers["Authorization"] = "Bearer " .. token
      requests[#requests + 1] = wrk.format("GET")
   end
end

function request()
   if at == #requests then
      if not ended then
         ended = true
         -- wrk itself, which would sleep until its time is over; later, because system() ignores the signal meanwhile
         os.execute("(sleep 0.1; kill -INT $PPID) &")
      end
      wrk.thread:stop()
   else
      at = at + 1
   end
   return requests[at]
end
