package day;

public class Twice {
    public static int of(int n) {
        return 2 * n;
    }
}
