# Perl's LWP. What to ask comes as JSON on standard input.
use strict;
use warnings;
use JSON::PP;
use LWP::UserAgent;
use HTTP::Request;

my $job = decode_json(do { local $/; <STDIN> });
my $client;
$| = 1;
for my $ask (@{$job->{asks}}) {
    if (!$client || !$ask->{same_connection}) {
        my %ssl = (SSL_ca_file => $job->{ca}, verify_hostname => 1);
        %ssl = (%ssl, SSL_cert_file => $ask->{cert}, SSL_key_file => $ask->{key}) if $ask->{cert};
        $client = LWP::UserAgent->new(ssl_opts => \%ssl, keep_alive => 1, timeout => 100);
    }
    my $request = HTTP::Request->new($ask->{method}, $ask->{url}, [Accept => "application/json", %{$ask->{headers}}]);
    $request->content("\0" x $ask->{body}) if $ask->{body};
    my $answer = $client->request($request);
    my $own = ($answer->header("Client-Warning") // "") eq "Internal response";
    my $said = $own
        ? {status => 0, text => "", error => $answer->status_line}
        : {status => $answer->code + 0, text => $answer->decoded_content, error => ""};
    print encode_json($said), "\n";
}
