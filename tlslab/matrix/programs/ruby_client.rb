# Ruby's Net::HTTP. What to ask comes as JSON on standard input.
require "json"
require "net/http"
require "openssl"

job = JSON.parse($stdin.read)
http = nil
job["asks"].each do |ask|
  place = URI(ask["url"])
  if http.nil? || !ask["same_connection"]
    http = Net::HTTP.new(place.host, place.port, nil)
    http.use_ssl = true
    http.ca_file = job["ca"]
    http.read_timeout = 100
    http.max_retries = 0
    unless ask["cert"].empty?
      http.cert = OpenSSL::X509::Certificate.new(File.read(ask["cert"]))
      http.key = OpenSSL::PKey.read(File.read(ask["key"]))
    end
    http.continue_timeout = 1 if ask["expect_100"]
  end
  begin
    http.start unless http.started?
    request = Net::HTTPGenericRequest.new(ask["method"], ask["body"].positive?, true, place.request_uri, ask["headers"])
    request["Accept"] = "application/json"
    request["Expect"] = "100-continue" if ask["expect_100"]
    request.body = "\0" * ask["body"] if ask["body"].positive?
    answer = http.request(request)
    said = { status: answer.code.to_i, text: answer.body.to_s, error: "" }
  rescue StandardError => error
    said = { status: 0, text: "", error: "#{error.class}: #{error.message}" }
  end
  puts JSON.generate(said)
  $stdout.flush
end
