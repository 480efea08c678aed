local spins = 0

request = function()
  for _ = 1, 3000000 do
    spins = spins + 1
  end
  return wrk.format("POST", nil, { ["Content-Type"] = "application/json" },
    '{"model":"gpt-oss:20b","messages":[{"role":"user","content":"ping"}]}')
end
