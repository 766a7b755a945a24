# Keeps a list of what is to be done: a plugin in Perl, which asks the host to store it by requests of its own.
# It serves one request after the other; what comes while it waits for an answer has to wait, too.
use v5.14;
use warnings;
use JSON::PP ();

my $limit = 2**20;
my $item = { type => 'object', required => ['item'], properties => { item => { type => 'string' } } };
my $about = { protocol_version => '1.0', limits => { max_frame_bytes => $limit, max_in_flight => 1 }, plugin => {
    name => 'todo', version => '1.0.0', description => 'Keeps a list of what is to be done.', handlers => [
        { name => 'add', description => 'Put something on the list of what is to be done.', effects => 'write',
          examples => ['add {item} to my todo list', 'i have to {item}'], parameters => $item },
        { name => 'remove', description => 'Take something off the list of what is to be done.', effects => 'write',
          examples => ['take {item} off my todo list', 'i have done {item}'], parameters => $item },
        { name => 'show', description => 'Tell what is to be done.', effects => 'read',
          examples => ['what is on my todo list', 'show my todo list'] } ] } };

my %handlers = (
    add    => sub { my ($list, $item) = @_; [@$list, $item] },
    remove => sub { my ($list, $item) = @_; [grep { $_ ne $item } @$list] },
    show   => sub { my ($list) = @_; $list },
);

sub handle {
    my ($name, $intent) = @_;
    my $handler = $handlers{ $name // '' } or die { code => -32013, message => 'no such handler' };
    my $context = ref $intent eq 'HASH' ? $intent->{context} // {} : '';
    die { code => -32602, message => '`intent` and its context are objects' } if ref $context ne 'HASH';
    my $item = $context->{item} // '';
    die { code => -32602, message => '`item` is missing' } if $name ne 'show' && (ref $item || !length $item);
    my $stored = ask('storage/get', { key => 'list', default => [] });
    my $list = $handler->($stored->{value}, $item);
    # Nothing is written where somebody else has written meanwhile.
    ask('storage/set', { key => 'list', value => $list, if_version => $stored->{version} }) if $name ne 'show';
    return { success => JSON::PP::true, message => join("\n", @$list) || 'Nothing.', data => { list => $list } };
}

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my ($serving, $own, @later) = ('', 0);    # the id that is being served; that of our last request; what has to wait
$| = 1;                                   # each line is written at once

# Ids are kept as they stand in JSON, so that "1" and 1 differ; `jsonrpc` and the id come first.
sub put { my ($id, $name, $value) = @_; say qq({"jsonrpc":"2.0","id":$id,), substr $json->encode({ $name => $value }), 1 }

sub receive {
    while (defined(my $line = <STDIN>)) {
        next if $line !~ /\S/;
        chomp $line;
        my $message = length $line <= $limit && eval { [$json->decode($line)] };
        return $message->[0] if $message && ref $message->[0] eq 'HASH' && !ref $message->[0]{id};
        put('null', error => { code => $message ? -32600 : -32700, message => 'this is no message' });
    }
    exit;                                 # the host is gone
}

# Sends a request of our own, and waits for the answer, or until the request that is being served is taken back.
sub ask {
    my ($method, $params) = @_;
    put(++$own . qq(,"method":"$method"), params => $params);
    while (my $message = receive()) {
        my $id = $json->encode($message->{id});
        if (!exists $message->{method}) {
            next if $id ne $own;
            die { code => -32012, message => $message->{error}{message} } if $message->{error};
            return $message->{result};
        }
        my $back = $message->{method} eq '$/cancel' && $json->encode($message->{params}{id}) eq $serving;
        push @later, $message if !$back;
        die { code => -32005, message => 'cancelled' } if $back || $message->{method} eq 'shutdown';
    }
}

sub serve {
    my ($method, $params) = @_;
    die { code => -32602, message => 'params are an object' } if ref $params ne 'HASH';
    return handle($params->{handler}, $params->{intent}) if $method eq 'handle_intent';
    return undef if $method eq 'shutdown';
    return {} if $method eq 'ping';
    die { code => -32601, message => 'unknown method' } if $method ne 'initialize' && $method ne 'describe';
    return $about if grep { /^1\./ } @{ $params->{protocol_versions} };
    die { code => -32010, message => 'this plugin speaks 1.0' };
}

while (my $message = shift @later // receive()) {
    next if !defined $message->{id} || ref $message->{method} || !defined $message->{method};
    $serving = $json->encode($message->{id});
    my $result = eval { serve($message->{method}, $message->{params} // {}) };
    my $error = ref $@ ? $@ : $@ && { code => -32012, message => "$@" };
    $error ? put($serving, error => $error) : put($serving, result => $result);
    exit if $message->{method} eq 'shutdown';
}
