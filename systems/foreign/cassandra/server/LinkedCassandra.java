import java.net.UnknownHostException;
import org.apache.cassandra.db.SystemKeyspace;
import org.apache.cassandra.locator.InetAddressAndPort;
import org.apache.cassandra.service.CassandraDaemon;

/** Cassandra as it is, on a node that reaches each peer at an address of its own: -Dlinks=PEER=ADDRESS,... */
public class LinkedCassandra extends CassandraDaemon {
    public static void main(String[] arguments) {
        new LinkedCassandra().activate();
    }

    /** Runs when the node's own tables can be written, and before it opens its first connection to a peer. */
    @Override
    public void setupVirtualKeyspaces() {
        super.setupVirtualKeyspaces();
        try {
            for (String link : System.getProperty("links").split(",")) {
                String[] halves = link.split("=");
                SystemKeyspace.updatePreferredIP(InetAddressAndPort.getByName(halves[0]), InetAddressAndPort.getByName(halves[1]));
            }
        } catch (UnknownHostException error) {
            throw new IllegalArgumentException(error);
        }
    }
}
