package day;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

public class TwiceTest {
    @Test
    public void isTwice() {
        assertEquals(42, Twice.of(21));
    }
}
