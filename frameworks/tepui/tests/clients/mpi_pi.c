/* Pi by all processes together: each one sums up its share of the area, the first one tells. */
#include <mpi.h>
#include <stdio.h>

#define STRIPS 1000000

int main(int argc, char **argv) {
    int rank, size;
    double mine = 0, all = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (long strip = rank; strip < STRIPS; strip += size) {
        double x = (strip + 0.5) / STRIPS;
        mine += 4 / (1 + x * x) / STRIPS;
    }
    MPI_Reduce(&mine, &all, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0) printf("%d processes say %.8f\n", size, all);
    MPI_Finalize();
    return 0;
}
