/* Threads, barriers and a semaphore: what a C program takes from the kernel through glibc. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
static sem_t ready;
static pthread_barrier_t barrier;
static void *work(void *argument) {
    pthread_barrier_wait(&barrier);
    sem_post(&ready);
    return argument;
}
int main(void) {
    pthread_t threads[4];
    sem_init(&ready, 0, 0);
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, work, NULL)) return 1;
    for (int i = 0; i < 4; i++) { sem_wait(&ready); pthread_join(threads[i], NULL); }
    puts("joined");
    return 0;
}
